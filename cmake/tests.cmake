# SPDX-License-Identifier: MIT
# Every test that CTest runs. Each is a process of its own with a time limit, named after its file:
#   unit.NAME     tests/unit/test_NAME.c, .cc or .cpp     may include the internals it is about
#   conformance   tests/conformance/*.c                   public headers and tests/support only
#   explore.NAME  tests/explore/NAME.c                    interleavings of src/task (explore.cmake)
#   sim.NAME      tests/sim/NAME.c                        programs in simulations, seed after seed
#   sim.differential  tests/differential/*.c              the simulator against the real loopback
#   process.NAME  tests/process/NAME.sh or .py            the built programs against foreign peers
#   style, layering, exports, headers, install            the tree and the artefacts themselves
# Exit status 77 means skipped, with the reason printed.

include(CheckLanguage)
check_language(CXX)
if(CMAKE_CXX_COMPILER)
    enable_language(CXX)
endif()
if(PKG_CONFIG_FOUND)
    pkg_check_modules(CMOCKA QUIET IMPORTED_TARGET cmocka)
endif()
find_package(Python3 QUIET COMPONENTS Interpreter)

# A time limit only ends hangs; slow tools and longer runs get longer ones.
set(timeout_factor 1)
if(WEFT_TEST_LAUNCHER)
    set(timeout_factor 10)
elseif(WEFT_SANITIZE MATCHES "thread")
    set(timeout_factor 4)
elseif(WEFT_SANITIZE)
    set(timeout_factor 3)
endif()
set(test_scale 1)
if("$ENV{WEFT_TEST_SCALE}" MATCHES "^[1-9][0-9]*$")
    set(test_scale $ENV{WEFT_TEST_SCALE})
endif()
math(EXPR timeout_factor "${timeout_factor} * ${test_scale}")

# What a test can read. A bound on waiting is 30 s where nothing slows the test down; SLOW says that
# something does.
math(EXPR wait_limit "30 * ${timeout_factor}")
set(test_environment WEFT_BUILD=${PROJECT_BINARY_DIR} WEFT_SOURCE=${PROJECT_SOURCE_DIR}
    WEFT_TEST_TIMEOUT=${wait_limit})
if(WEFT_TEST_LAUNCHER)
    list(APPEND test_environment WEFT_TEST_SLOW=1)
endif()

# Adds the CTest test `name`: its command, run in the build folder, ended after `seconds`.
function(weft_test name label seconds)
    math(EXPR limit "${seconds} * ${timeout_factor}")
    add_test(NAME ${name} COMMAND ${ARGN} WORKING_DIRECTORY ${PROJECT_BINARY_DIR})
    set_tests_properties(${name} PROPERTIES
        LABELS ${label} TIMEOUT ${limit} SKIP_RETURN_CODE 77
        ENVIRONMENT "${test_environment}")
endfunction()

# --- what tests share -------------------------------------------------------------------------
# Support is the only code that starts drivers by name and makes calls fail, so it alone sees
# src/weft_testing.h; the headers it offers do not need src/.
file(GLOB support_sources CONFIGURE_DEPENDS tests/support/*.c)
add_library(weft_test_headers INTERFACE)
target_include_directories(weft_test_headers INTERFACE ${PROJECT_SOURCE_DIR}/tests/support)
target_link_libraries(weft_test_headers INTERFACE weft_static Threads::Threads)
add_library(weft_test_support INTERFACE)
target_link_libraries(weft_test_support INTERFACE weft_test_headers)
if(support_sources AND CMOCKA_FOUND)
    add_library(weft_support STATIC ${support_sources})
    weft_compile(weft_support)
    weft_use_gnu_interfaces(weft_support)
    target_link_libraries(weft_support PRIVATE weft_internal
                          PUBLIC weft_test_headers PkgConfig::CMOCKA)
    target_link_libraries(weft_test_support INTERFACE weft_support)
endif()

# --- unit -------------------------------------------------------------------------------------
file(GLOB unit_sources CONFIGURE_DEPENDS
     tests/unit/test_*.c tests/unit/test_*.cc tests/unit/test_*.cpp)
if(NOT WEFT_HAVE_URING)
    list(FILTER unit_sources EXCLUDE REGEX "/test_uring[^/]*$")
endif()
if(unit_sources AND NOT CMOCKA_FOUND)
    message(STATUS "weft: no unit tests: cmocka not found (Debian: libcmocka-dev)")
    set(unit_sources "")
endif()
if(NOT CMAKE_CXX_COMPILER)
    list(FILTER unit_sources EXCLUDE REGEX "\\.(cc|cpp)$")
endif()
if(WEFT_SANITIZE) # a sanitizer stands in front of the same functions
    list(FILTER unit_sources EXCLUDE REGEX "/test_leave_check[.]c$")
endif()
foreach(source ${unit_sources})
    cmake_path(GET source STEM program)
    string(REGEX REPLACE "^test_" "" name ${program})
    if(TARGET unit_${name})
        string(APPEND name _cxx)
        string(APPEND program _cxx)
    endif()
    add_executable(unit_${name} ${source})
    weft_compile(unit_${name})
    weft_use_gnu_interfaces(unit_${name})
    set_target_properties(unit_${name} PROPERTIES
        OUTPUT_NAME ${program} RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests/unit)
    target_link_libraries(unit_${name} PRIVATE weft_test_support weft_internal PkgConfig::CMOCKA)
    weft_test(unit.${name} unit 60 ${WEFT_TEST_LAUNCHER} $<TARGET_FILE:unit_${name}>)
endforeach()

# What a debug build has in addition is tested in every build, put in front of the library.
if(TARGET unit_leave_check AND NOT WEFT_DEBUG)
    target_sources(unit_leave_check PRIVATE ${weft_debug_sources} src/task/worker.c)
    target_compile_definitions(unit_leave_check PRIVATE WEFT_DEBUG=1)
endif()

# --- conformance ------------------------------------------------------------------------------
file(GLOB conformance_sources CONFIGURE_DEPENDS tests/conformance/*.c)
if(conformance_sources AND CMOCKA_FOUND)
    add_executable(conformance ${conformance_sources})
    weft_compile(conformance)
    set_target_properties(conformance PROPERTIES
        RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests/conformance)
    target_link_libraries(conformance PRIVATE weft_test_support)
    set(arguments --matrix ${PROJECT_BINARY_DIR}/conformance-matrix.txt)
    if(WEFT_TEST_LAUNCHER) # no tool of ours follows io_uring, and one seed is slow enough
        list(APPEND arguments --driver thread --driver epoll --driver sim --seeds 1)
    endif()
    weft_test(conformance conformance 300 ${WEFT_TEST_LAUNCHER} $<TARGET_FILE:conformance>
              ${arguments})
    set_tests_properties(conformance PROPERTIES PROCESSORS 2) # it runs two cases at once
endif()

# --- process ----------------------------------------------------------------------------------
# They share the well-known ports of the examples, so they run one after the other. A C file beside
# them is a helper program, found by the scripts in $WEFT_BUILD/tests/process/.
weft_programs(process tests/process tests/process/*.c)
foreach(target ${process_targets})
    weft_use_gnu_interfaces(${target})
endforeach()
file(GLOB process_scripts CONFIGURE_DEPENDS tests/process/*.sh tests/process/*.py)
foreach(script ${process_scripts})
    cmake_path(GET script STEM name)
    cmake_path(GET script EXTENSION LAST_ONLY extension)
    if(name MATCHES "^_") # sourced by the others
        continue()
    endif()
    if(extension STREQUAL ".py")
        weft_test(process.${name} process 180 ${Python3_EXECUTABLE} ${script})
    else()
        weft_test(process.${name} process 180 bash ${script})
    endif()
    set_tests_properties(process.${name} PROPERTIES RESOURCE_LOCK ports)
endforeach()

# --- cross: what only the machine it is for can run, natively or through qemu-user -------------
if(weft_context STREQUAL "aarch64")
    weft_programs(cross tests/cross tests/cross/*_aarch64.c)
    foreach(target ${cross_targets})
        target_link_libraries(${target} PRIVATE weft_internal)
        string(REGEX REPLACE "^cross_" "" name ${target})
        weft_test(cross.${name} cross 60 ${WEFT_TEST_LAUNCHER} $<TARGET_FILE:${target}>)
    endforeach()
endif()

# --- simulations ------------------------------------------------------------------------------
# Every seed runs in two processes. How many: about 20 s of one core for each program where nothing
# is slowed down; `./dev soak` runs more.
set(sim_seeds 10000)
if(WEFT_TEST_LAUNCHER)
    set(sim_seeds 30)
elseif(WEFT_SANITIZE MATCHES "thread") # a simulation is one thread
    set(sim_seeds 100)
elseif(WEFT_SANITIZE OR weft_context STREQUAL "ucontext")
    set(sim_seeds 1000)
endif()
math(EXPR sim_seeds "${sim_seeds} * ${test_scale}")
file(GLOB sim_sources CONFIGURE_DEPENDS tests/sim/*.c)
add_library(prove_objects OBJECT ${sim_sources})
weft_compile(prove_objects)
target_link_libraries(prove_objects PRIVATE weft_static)
add_executable(prove $<TARGET_OBJECTS:prove_objects>)
set_target_properties(prove PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests/sim)
target_link_libraries(prove PRIVATE weft_static)
math(EXPR storm_seeds "${sim_seeds} / 5") # a run takes five times as long as the others'
set(twice ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tests/sim/twice.py)
if(WEFT_SANITIZE OR WEFT_TEST_LAUNCHER) # such a tool has its own idea of where things lie
    list(APPEND twice --any-addresses)
endif()
foreach(program echo chat relay scopes sync datagrams storm)
    set(seeds ${sim_seeds})
    if(program STREQUAL "storm")
        set(seeds ${storm_seeds})
    endif()
    weft_test(sim.${program} sim 120 ${twice} ${WEFT_TEST_LAUNCHER} $<TARGET_FILE:prove> ${program}
              1 ${seeds})
    set_property(TEST sim.${program} PROPERTY PROCESSORS 2)
endforeach()
if(NOT WEFT_SANITIZE AND NOT WEFT_TEST_LAUNCHER) # a program that is not repeatable is found
    weft_test(sim.drift sim 120 ${twice} $<TARGET_FILE:prove> drift 1 100)
    set_property(TEST sim.drift PROPERTY PASS_REGULAR_EXPRESSION "seed [0-9]+ is not one run")
endif()
# Not those that say when things happen, since a stack that fails may be a while in coming; nor that
# which opens thousands of handles. Where a tool slows them down, the shorter ones.
set(nth_programs echo chat relay sync)
if(WEFT_TEST_LAUNCHER OR WEFT_SANITIZE MATCHES "thread")
    set(nth_programs sync)
elseif(WEFT_SANITIZE)
    set(nth_programs relay sync)
endif()
foreach(program ${nth_programs})
    weft_test(sim.${program}_nth sim 120 ${WEFT_TEST_LAUNCHER} $<TARGET_FILE:prove> ${program} nth)
    set_property(TEST sim.${program}_nth APPEND PROPERTY ENVIRONMENT WEFT_LOG=off)
endforeach()

# The programs of docs/simulation.md, which process.simulation runs.
foreach(program bank bank_fixed)
    add_executable(sim_${program} tests/sim/tutorial/${program}.c)
    weft_compile(sim_${program})
    set_target_properties(sim_${program} PROPERTIES OUTPUT_NAME ${program}
        RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests/sim)
    target_link_libraries(sim_${program} PRIVATE weft_static)
endforeach()

# The real loopback and the simulator, compared for 10 s; `./dev soak` compares for longer.
if(NOT WEFT_SANITIZE AND NOT WEFT_TEST_LAUNCHER AND weft_context STREQUAL "x86_64")
    file(GLOB differential_sources CONFIGURE_DEPENDS tests/differential/*.c)
    add_executable(differential ${differential_sources})
    weft_compile(differential)
    weft_use_gnu_interfaces(differential)
    set_target_properties(differential PROPERTIES
        RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests/differential)
    target_link_libraries(differential PRIVATE weft_static weft_internal)
    weft_test(sim.differential sim 120 $<TARGET_FILE:differential>)
endif()

# --- nets: each tool must find the defect planted for it (`./dev check` begins with these) -----
if(WEFT_SANITIZE OR WEFT_TEST_LAUNCHER MATCHES "valgrind")
    weft_programs(planted tests/planted tests/planted/*.c)
    add_custom_target(planted DEPENDS ${planted_targets})
endif()

# The test net.NAME: the program runs clean when asked to, and fails, saying `report`, when it
# plants its defect.
function(weft_net name program report)
    if(TARGET planted_${program})
        weft_test(net.${name} net 60 bash ${PROJECT_SOURCE_DIR}/tests/planted/run.sh ${report}
                  ${WEFT_TEST_LAUNCHER} $<TARGET_FILE:planted_${program}>)
    endif()
endfunction()
if(WEFT_SANITIZE MATCHES "address")
    weft_net(leak leak "LeakSanitizer: detected memory leaks")
    weft_net(leak_in_child leak_in_child "LeakSanitizer: detected memory leaks")
    weft_net(overflow overflow "AddressSanitizer: heap-buffer-overflow")
    weft_net(stack_overflow stack_overflow "AddressSanitizer: stack-buffer-overflow")
endif()
if(WEFT_SANITIZE MATCHES "undefined")
    weft_net(undefined undefined "runtime error: signed integer overflow")
endif()
if(WEFT_SANITIZE MATCHES "thread")
    weft_net(race race "ThreadSanitizer: data race")
endif()
if(WEFT_TEST_LAUNCHER MATCHES "valgrind")
    weft_net(leak leak "definitely lost")
    weft_net(leak_in_child leak_in_child "definitely lost")
    weft_net(overflow overflow "Invalid read of size")
    weft_net(uninitialised uninitialised "depends on uninitialised value")
endif()

# --- planted defects, in the plain build only -----------------------------------------------------
if(NOT WEFT_SANITIZE AND NOT WEFT_TEST_LAUNCHER AND Python3_FOUND)
    include(cmake/patch.cmake)
    include(cmake/mutants.cmake)
endif()

# --- interleavings, in the plain build only ---------------------------------------------------
# What tells of plain accesses is gcc's; the switch is ours, because the engine switches, too.
if(NOT WEFT_SANITIZE AND NOT WEFT_TEST_LAUNCHER AND Python3_FOUND AND
   CMAKE_C_COMPILER_ID STREQUAL "GNU" AND weft_context STREQUAL "x86_64")
    include(cmake/explore.cmake)
endif()

# --- the tree and the artefacts, in the plain build only --------------------------------------
if(NOT WEFT_SANITIZE AND NOT WEFT_DEBUG AND NOT WEFT_TEST_LAUNCHER AND Python3_FOUND AND
   CMAKE_CXX_COMPILER)
    set(tools ${PROJECT_SOURCE_DIR}/tools)
    weft_test(style tools 120 ${Python3_EXECUTABLE} ${tools}/check_style.py ${PROJECT_SOURCE_DIR})
    weft_test(layering tools 60 ${Python3_EXECUTABLE} ${tools}/check_layers.py
              ${PROJECT_SOURCE_DIR})
    weft_test(exports tools 60 ${Python3_EXECUTABLE} ${tools}/check_exports.py ${PROJECT_SOURCE_DIR}
              ${PROJECT_BINARY_DIR})
    weft_test(headers tools 120 ${Python3_EXECUTABLE} ${tools}/check_headers.py
              ${PROJECT_SOURCE_DIR})
    weft_test(benchmarks tools 120 ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/bench/run.py --quick
              --no-peers --build ${PROJECT_BINARY_DIR})
    if(WEFT_INSTALL)
        weft_test(install tools 180 bash ${PROJECT_SOURCE_DIR}/tests/install/run.sh)
    endif()
endif()
