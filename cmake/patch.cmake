# SPDX-License-Identifier: MIT
# Planted defects: a source as it is, but for what a patch changes (tests/explore/plant.py).

# Reads the line `KEY: VALUE` of a patch, and has CMake run again when it changes.
function(weft_patch_line patch key ret_value)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${patch})
    file(STRINGS ${patch} line REGEX "^${key}: ")
    string(REGEX REPLACE "^${key}: " "" value "${line}")
    set(${ret_value} "${value}" PARENT_SCOPE)
endfunction()

# Makes the changed copy `copy` of `source` at build time. `ARGN`: the patches.
function(weft_patched source copy)
    set(plant ${PROJECT_SOURCE_DIR}/tests/explore/plant.py)
    add_custom_command(OUTPUT ${copy}
        COMMAND ${Python3_EXECUTABLE} ${plant} ${PROJECT_SOURCE_DIR}/${source} ${copy} ${ARGN}
        DEPENDS ${PROJECT_SOURCE_DIR}/${source} ${plant} ${ARGN}
        VERBATIM)
endfunction()
