# SPDX-License-Identifier: MIT
# The interleaving explorer (tests/explore/explore.h): the sources of src/task, compiled once more
# with its atomics; each tests/explore/NAME.c that has cases, a program; each plants/NAME.patch, the
# program of its scenario with that defect. The programs are part of every build, and CTest runs
# them with low bounds; `./dev check explore` runs all, and the plants.

set(explore ${PROJECT_SOURCE_DIR}/tests/explore)
set(explore_build ${PROJECT_BINARY_DIR}/tests/explore)
set(explore_engine engine search weak race world main) # the others are scenarios

# --- sources with smaller constants, found before the original ones -----------------------------
file(GLOB explore_adaptations CONFIGURE_DEPENDS ${explore}/adapt/*.patch)
foreach(patch ${explore_adaptations})
    weft_patch_line(${patch} source source)
    set(adaptation_of_${source} ${patch})
    weft_patched(${source} ${explore_build}/${source} ${patch})
    list(APPEND explore_adapted ${explore_build}/${source})
endforeach()
add_custom_target(explore_adapted DEPENDS ${explore_adapted})

# Compiles `target` with the explorer's atomics. Told of plain accesses by -fsanitize=thread, whose
# run-time library is race.c. `ARGN`: folders to look for headers in before all others.
function(weft_explored target)
    weft_compile(${target})
    weft_use_gnu_interfaces(${target})
    add_dependencies(${target} explore_adapted)
    target_include_directories(${target} PRIVATE ${ARGN} ${explore_build}/src
        ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include ${explore})
    target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:C>:-include;${explore}/atomic.h>)
    get_target_property(definitions weft_internal INTERFACE_COMPILE_DEFINITIONS)
    if(definitions)
        target_compile_definitions(${target} PRIVATE ${definitions})
    endif()
endfunction()

function(weft_explored_and_watched target)
    weft_explored(${target} ${ARGN})
    target_compile_options(${target} PRIVATE
        $<$<COMPILE_LANGUAGE:C>:-fsanitize=thread;-U__SANITIZE_THREAD__>)
endfunction()

list(TRANSFORM explore_engine REPLACE "(.+)" "${explore}/\\1.c" OUTPUT_VARIABLE engine_sources)
add_library(explore_engine STATIC ${engine_sources})
weft_explored(explore_engine)

set(explored_sources ${weft_sources})
list(FILTER explored_sources INCLUDE REGEX "/src/(base|task)/|/src/net/addr\\.c$|/src/io/c[al]")
list(FILTER explored_sources EXCLUDE REGEX "/src/base/assert\\.c$") # PANIC is a finding
list(FILTER explored_sources EXCLUDE # stood in for by world.c
    REGEX "/src/task/(dump_on_quit|monitor|signals|watchdog)\\.c$")
foreach(source ${explored_sources})
    cmake_path(RELATIVE_PATH source BASE_DIRECTORY ${PROJECT_SOURCE_DIR})
    if(DEFINED adaptation_of_${source})
        list(REMOVE_ITEM explored_sources ${PROJECT_SOURCE_DIR}/${source})
        list(APPEND explored_sources ${explore_build}/${source})
    endif()
endforeach()
add_library(explored STATIC ${explored_sources})
weft_explored_and_watched(explored)

# The program `target` of a scenario. `ARGN`: folder and source of a planted defect.
function(weft_scenario target scenario)
    add_executable(${target} ${explore}/${scenario}.c)
    weft_explored_and_watched(${target} ${ARGV2})
    if(scenario STREQUAL "lock") # the lock that others take for granted
        target_compile_definitions(${target} PRIVATE EXPLORE_REAL_LOCK syscall=explore_syscall)
        set(lock_source ${PROJECT_SOURCE_DIR}/src/os/lock.c)
    endif()
    if(ARGV3 MATCHES "/os/lock\\.c$")
        set(lock_source "")
    endif()
    target_sources(${target} PRIVATE ${ARGV3} ${lock_source})
    # What the defect is planted in is not taken from the library again.
    target_link_libraries(${target} PRIVATE explored explore_engine explored explore_engine)
    set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${explore_build})
endfunction()

file(GLOB explore_sources CONFIGURE_DEPENDS ${explore}/*.c)
foreach(source ${explore_sources})
    cmake_path(GET source STEM name)
    if(name IN_LIST explore_engine)
        continue()
    endif()
    weft_scenario(explore_${name} ${name})
    set_target_properties(explore_${name} PROPERTIES OUTPUT_NAME ${name})
    weft_test(explore.${name} explore 120 $<TARGET_FILE:explore_${name}> --quick)
    list(APPEND explore_programs explore_${name})
endforeach()

file(GLOB explore_plants CONFIGURE_DEPENDS ${explore}/plants/*.patch)
foreach(patch ${explore_plants})
    cmake_path(GET patch STEM name)
    weft_patch_line(${patch} source source)
    weft_patch_line(${patch} scenario scenario)
    string(REGEX REPLACE " .*" "" scenario "${scenario}") # names of cases may follow
    string(REGEX REPLACE "^src/" "" place "${source}")
    set(folder ${explore_build}/plants/${name})
    weft_patched(${source} ${folder}/${place} ${adaptation_of_${source}} ${patch})
    weft_scenario(plant_${name} ${scenario} ${folder} ${folder}/${place})
    target_compile_options(plant_${name} PRIVATE -w) # what is left out is not used
    set_target_properties(plant_${name} PROPERTIES EXCLUDE_FROM_ALL ON
        OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY ${explore_build}/planted)
    list(APPEND explore_plant_programs plant_${name})
endforeach()
add_custom_target(explore DEPENDS ${explore_programs} ${explore_plant_programs})
