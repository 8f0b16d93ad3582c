# SPDX-License-Identifier: MIT
# How everything is compiled: language level, warnings, sanitizers. Nothing here leaks to users:
# the flags are either private to our targets or set for our own top-level build only.

if(PROJECT_IS_TOP_LEVEL AND NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "Build type" FORCE)
endif()
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

# ASSERT stays on in release, and nothing of ours reads NDEBUG.
set(weft_warnings -Wall -Wextra -Wshadow -Wvla)
set(weft_c_warnings -Wmissing-prototypes -Wstrict-prototypes)

if(WEFT_SANITIZE)
    # Frame pointers make the reports readable, and fast to take.
    set(weft_sanitize -fsanitize=${WEFT_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    add_compile_options(${weft_sanitize})
    add_link_options(${weft_sanitize})
endif()

# Compiles `target` as our own code: GNU C17 or C++17, all warnings.
function(weft_compile target)
    set_target_properties(${target} PROPERTIES
        C_STANDARD 17 C_STANDARD_REQUIRED ON C_EXTENSIONS ON
        CXX_STANDARD 17 CXX_STANDARD_REQUIRED ON)
    target_compile_options(${target} PRIVATE
        $<$<COMPILE_LANGUAGE:C,CXX>:${weft_warnings}>
        $<$<COMPILE_LANGUAGE:C>:${weft_c_warnings}>
        $<$<AND:$<BOOL:${WEFT_WERROR}>,$<COMPILE_LANGUAGE:C,CXX>>:-Werror>)
endfunction()

# Lets the sources of `target` use every interface of the system. The value is empty so that a file
# which says `#define _GNU_SOURCE` itself, to be compiled by hand, repeats this and no more.
function(weft_use_gnu_interfaces target)
    target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:C>:-D_GNU_SOURCE=>)
endfunction()
