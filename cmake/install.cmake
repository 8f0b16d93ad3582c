# SPDX-License-Identifier: MIT
# What `cmake --install` puts in place: headers, both libraries, the command, its man page, and the
# two ways others find us: pkg-config and find_package. All paths are relative to where the files
# lie, so an installed tree may be moved.
include(CMakePackageConfigHelpers)

set(weft_cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/weft)

# `./dev run` builds the command alone: what is missing is told before anything is put in place.
set(weft_installed $<TARGET_FILE:weft_shared> $<TARGET_FILE:weft_static>)
if(TARGET weft_command)
    list(APPEND weft_installed $<TARGET_FILE:weft_command>)
endif()
install(CODE "
    foreach(file ${weft_installed})
        if(NOT EXISTS \${file})
            message(FATAL_ERROR \"weft is not built: cmake --build ${PROJECT_BINARY_DIR}\")
        endif()
    endforeach()")

install(DIRECTORY include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(TARGETS weft_shared weft_static EXPORT weftTargets
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
if(TARGET weft_command)
    install(TARGETS weft_command RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
if(EXISTS ${PROJECT_SOURCE_DIR}/man/weft.1)
    install(FILES man/weft.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
endif()
install(FILES gdb/weft.py DESTINATION ${CMAKE_INSTALL_DATADIR}/weft)

# --- find_package(weft): weft::weft and weft::weft_static -------------------------------------
install(EXPORT weftTargets NAMESPACE weft:: DESTINATION ${weft_cmake_dir})
configure_package_config_file(cmake/weftConfig.cmake.in weftConfig.cmake
                              INSTALL_DESTINATION ${weft_cmake_dir})
write_basic_package_version_file(weftConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/weftConfig.cmake ${PROJECT_BINARY_DIR}/weftConfigVersion.cmake
        DESTINATION ${weft_cmake_dir})

# --- pkg-config: weft.pc ----------------------------------------------------------------------
# A shared user needs none of our libraries, so liburing is named in Libs.private only.
set(weft_private_libs -pthread)
if(WEFT_HAVE_URING)
    set(weft_private_libs "-luring -pthread")
endif()
file(RELATIVE_PATH weft_prefix_from_pc /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" weft_prefix_from_pc ${weft_prefix_from_pc})
configure_file(cmake/weft.pc.in weft.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/weft.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
