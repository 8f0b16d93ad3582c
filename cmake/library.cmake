# SPDX-License-Identifier: MIT
# The library: one set of objects, put into libweft.a and libweft.so.

find_package(Threads REQUIRED)
find_package(PkgConfig QUIET)

# --- io_uring is optional, and found through Debian's liburing --------------------------------
set(WEFT_HAVE_URING OFF)
if(WEFT_URING AND PKG_CONFIG_FOUND)
    pkg_check_modules(LIBURING QUIET IMPORTED_TARGET liburing>=2.3)
    set(WEFT_HAVE_URING ${LIBURING_FOUND})
endif()

# --- the context switch: assembly where we have it, ucontext elsewhere ------------------------
set(weft_context ucontext)
if(WEFT_CONTEXT STREQUAL "auto" AND CMAKE_SIZEOF_VOID_P EQUAL 8)
    if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|amd64|AMD64)$")
        set(weft_context x86_64)
    elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
        set(weft_context aarch64)
    endif()
endif()

# --- sources ----------------------------------------------------------------------------------
file(GLOB weft_sources CONFIGURE_DEPENDS
     src/*.c src/base/*.c src/os/*.c src/driver/*.c src/task/*.c src/io/*.c src/net/*.c src/sim/*.c)
if(NOT WEFT_HAVE_URING)
    list(FILTER weft_sources EXCLUDE REGEX "/src/driver/uring[^/]*\\.c$")
endif()
set(weft_debug_sources ${PROJECT_SOURCE_DIR}/src/os/mutex_watch.c
    ${PROJECT_SOURCE_DIR}/src/task/leave_check.c)
if(NOT WEFT_DEBUG)
    list(REMOVE_ITEM weft_sources ${weft_debug_sources})
endif()
if(NOT weft_context STREQUAL "ucontext")
    list(FILTER weft_sources EXCLUDE REGEX "/src/task/context_ucontext\\.c$")
    file(GLOB weft_context_source CONFIGURE_DEPENDS src/task/context_${weft_context}.S)
    list(APPEND weft_sources ${weft_context_source})
endif()
if(NOT weft_sources)
    message(FATAL_ERROR "weft: no sources under src/")
endif()

# --- what whoever compiles against our internals must agree on --------------------------------
add_library(weft_internal INTERFACE)
target_include_directories(weft_internal INTERFACE ${PROJECT_SOURCE_DIR}/src)
if(WEFT_HAVE_URING)
    target_compile_definitions(weft_internal INTERFACE WEFT_HAVE_URING=1)
endif()
if(weft_context STREQUAL "ucontext")
    target_compile_definitions(weft_internal INTERFACE WEFT__CONTEXT_UCONTEXT=1)
endif()
if(WEFT_DEBUG)
    target_compile_definitions(weft_internal INTERFACE WEFT_DEBUG=1)
endif()

add_library(weft_objects OBJECT ${weft_sources})
weft_compile(weft_objects)
weft_use_gnu_interfaces(weft_objects)
set_target_properties(weft_objects PROPERTIES
    POSITION_INDEPENDENT_CODE ON C_VISIBILITY_PRESET hidden)
target_include_directories(weft_objects PRIVATE ${PROJECT_SOURCE_DIR}/include)
target_link_libraries(weft_objects PRIVATE weft_internal Threads::Threads)
if(WEFT_HAVE_URING)
    target_link_libraries(weft_objects PRIVATE PkgConfig::LIBURING)
endif()

# --- the two libraries ------------------------------------------------------------------------
add_library(weft_static STATIC $<TARGET_OBJECTS:weft_objects>)
add_library(weft_shared SHARED $<TARGET_OBJECTS:weft_objects>)
add_library(weft::weft ALIAS weft_shared)
add_library(weft::weft_static ALIAS weft_static)

foreach(library weft_static weft_shared)
    set_target_properties(${library} PROPERTIES OUTPUT_NAME weft LINKER_LANGUAGE C)
    target_include_directories(${library} PUBLIC
        $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
        $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
    # A frame larger than the guard of a task's stack must not jump over it.
    target_compile_options(${library} INTERFACE $<INSTALL_INTERFACE:-fstack-clash-protection>)
    target_link_libraries(${library} PRIVATE Threads::Threads)
    if(WEFT_HAVE_URING)
        target_link_libraries(${library} PRIVATE
            $<BUILD_INTERFACE:PkgConfig::LIBURING> $<INSTALL_INTERFACE:uring>)
    endif()
endforeach()

# Until 1.0 every minor version may change the ABI, hence the minor in the soname.
set(weft_map ${PROJECT_SOURCE_DIR}/src/weft.map)
if(WEFT_DEBUG)
    set(weft_map ${PROJECT_SOURCE_DIR}/src/weft_debug.map)
endif()
set_target_properties(weft_shared PROPERTIES
    EXPORT_NAME weft
    VERSION ${PROJECT_VERSION}
    SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
    LINK_DEPENDS ${weft_map})
target_link_options(weft_shared PRIVATE -Wl,--version-script=${weft_map})
if(NOT WEFT_SANITIZE) # a sanitizer's own symbols come from the program
    target_link_options(weft_shared PRIVATE -Wl,-z,defs)
endif()
if(WEFT_WERROR)
    target_link_options(weft_shared PRIVATE -Wl,--fatal-warnings)
endif()

# --- say what was found -----------------------------------------------------------------------
if(WEFT_HAVE_URING)
    message(STATUS "weft: io_uring through liburing ${LIBURING_VERSION}")
elseif(WEFT_URING)
    message(STATUS "weft: no io_uring: liburing >= 2.3 not found (Debian: liburing-dev)")
else()
    message(STATUS "weft: no io_uring: WEFT_URING is off")
endif()
message(STATUS "weft: context switch: ${weft_context}")
if(WEFT_DEBUG)
    message(STATUS "weft: debug checks: mutexes held across a wait, cancellations ignored")
endif()
if(WEFT_SANITIZE)
    message(STATUS "weft: sanitizers: ${WEFT_SANITIZE}")
endif()
