# SPDX-License-Identifier: MIT
# The mutation check: each tests/sim/mutants/NAME.patch is a defect in one source of the library,
# and its program is `prove` with that source in front of libweft.a. Built by `./dev mutants` alone.

file(GLOB mutants CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/sim/mutants/*.patch)
foreach(patch ${mutants})
    cmake_path(GET patch STEM name)
    weft_patch_line(${patch} source source)
    string(REGEX REPLACE "^src/" "" place ${source})
    set(folder ${PROJECT_BINARY_DIR}/tests/sim/mutants/${name})
    weft_patched(${source} ${folder}/${place} ${patch})
    # What is linked here is not taken from the library again.
    add_executable(mutant_${name} ${folder}/${place} $<TARGET_OBJECTS:prove_objects>)
    weft_compile(mutant_${name})
    weft_use_gnu_interfaces(mutant_${name})
    target_link_libraries(mutant_${name} PRIVATE weft_internal weft_static)
    target_compile_options(mutant_${name} PRIVATE -w) # what is left out is not used
    set_target_properties(mutant_${name} PROPERTIES EXCLUDE_FROM_ALL ON
        EXPORT_COMPILE_COMMANDS OFF # its source is not there until it is built
        OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests/sim/mutants/bin)
    list(APPEND mutant_programs mutant_${name})
endforeach()
add_custom_target(mutants DEPENDS prove ${mutant_programs})
