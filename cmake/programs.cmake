# SPDX-License-Identifier: MIT
# Programs that use weft as any user does: the command, the examples, the benchmarks. They see the
# public headers only, and no _GNU_SOURCE of ours.

# One program from `ARGN`, put into the build folder's `folder` under `name`.
function(weft_program target name folder)
    add_executable(${target} ${ARGN})
    weft_compile(${target})
    set_target_properties(${target} PROPERTIES
        OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/${folder})
    target_link_libraries(${target} PRIVATE weft_static Threads::Threads)
endfunction()

# One program for each file that matches `pattern`.
function(weft_programs prefix folder pattern)
    file(GLOB sources CONFIGURE_DEPENDS ${pattern})
    foreach(source ${sources})
        cmake_path(GET source STEM name)
        weft_program(${prefix}_${name} ${name} ${folder} ${source})
        list(APPEND targets ${prefix}_${name})
    endforeach()
    set(${prefix}_targets "${targets}" PARENT_SCOPE)
endfunction()

file(GLOB weft_command_sources CONFIGURE_DEPENDS cli/*.c)
if(weft_command_sources)
    weft_program(weft_command weft . ${weft_command_sources})
endif()

if(WEFT_BUILD_TESTS)
    weft_programs(example examples examples/*.c)
    weft_programs(bench_row bench/rows bench/rows/*.c)
    weft_programs(bench_micro bench/micro bench/micro/*.c)
    foreach(target ${bench_row_targets} ${bench_micro_targets})
        target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/bench)
    endforeach()
    # The programs of tests/sim, without the main of their test.
    weft_program(bench_sim_seeds seeds bench/sim bench/sim/seeds.c tests/sim/echo.c
                 tests/sim/relay.c)
    target_include_directories(bench_sim_seeds PRIVATE ${PROJECT_SOURCE_DIR}/bench
                               ${PROJECT_SOURCE_DIR}/tests/sim)
    foreach(target ${bench_micro_targets})
        target_link_libraries(${target} PRIVATE weft_internal)
        weft_use_gnu_interfaces(${target})
    endforeach()
    add_custom_target(benchmarks
                      DEPENDS ${bench_row_targets} ${bench_micro_targets} bench_sim_seeds)
endif()
