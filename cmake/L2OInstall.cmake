# What `cmake --install` gives: headers, both shared libraries, the commands, pkg-config files and a CMake package. Everything
# finds everything else by relative paths, so an installed tree may be moved.
include(CMakePackageConfigHelpers)

install(DIRECTORY include/l2o DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(TARGETS l2o l2of EXPORT l2oTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES LICENSE README.md CHANGELOG.md CITATION.cff DESTINATION ${CMAKE_INSTALL_DOCDIR})
if(L2O_BUILD_COMMANDS)
  file(RELATIVE_PATH L2O_BIN_TO_LIB ${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_FULL_LIBDIR})
  set_target_properties(l2o-train l2o-eval PROPERTIES INSTALL_RPATH "$ORIGIN/${L2O_BIN_TO_LIB}")
  install(TARGETS l2o-train l2o-eval RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

# find_package(l2o): l2o::l2o and l2o::l2of
set(L2O_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/l2o)
install(EXPORT l2oTargets NAMESPACE l2o:: DESTINATION ${L2O_CMAKE_DIR})
configure_package_config_file(cmake/l2oConfig.cmake.in ${PROJECT_BINARY_DIR}/l2oConfig.cmake INSTALL_DESTINATION ${L2O_CMAKE_DIR})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/l2oConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/l2oConfig.cmake ${PROJECT_BINARY_DIR}/l2oConfigVersion.cmake DESTINATION ${L2O_CMAKE_DIR})

# pkg-config: l2o and l2of
set(L2O_PC_DIR ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig)
file(RELATIVE_PATH L2O_PC_LIBDIR ${L2O_PC_DIR} ${CMAKE_INSTALL_FULL_LIBDIR})
file(RELATIVE_PATH L2O_PC_INCLUDEDIR ${L2O_PC_DIR} ${CMAKE_INSTALL_FULL_INCLUDEDIR})
function(l2o_install_pc name precision cflags)
  set(L2O_PC_NAME ${name})
  set(L2O_PC_PRECISION ${precision})
  set(L2O_PC_CFLAGS "${cflags}")
  configure_file(cmake/l2o.pc.in ${PROJECT_BINARY_DIR}/${name}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/${name}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endfunction()
l2o_install_pc(l2o "double" "")
l2o_install_pc(l2of "single" " -DL2O_SINGLE")
