# Install and export rules. libconvoy is a shared library with a C face: its package file needs no find_package() of its
# dependencies, and a program built against it needs no other header than ours. Components are Debian packages (Packages.cmake); what
# names none belongs to the program's.
include(CMakePackageConfigHelpers)
set(CMAKE_INSTALL_DEFAULT_COMPONENT_NAME convoy)

# The C ABI's number; it rises only with an incompatible change of convoy.h.
set_target_properties(convoy PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION 0 EXPORT_NAME convoy)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/convoy)
install(TARGETS convoy convoy_cli EXPORT convoy_targets
  RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR}
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT libconvoy0 NAMELINK_COMPONENT libconvoy-dev
  INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT convoy_targets NAMESPACE convoy:: DESTINATION ${package_dir} COMPONENT libconvoy-dev)
configure_package_config_file(cmake/convoy-config.cmake.in ${PROJECT_BINARY_DIR}/convoy-config.cmake
  INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/convoy-config-version.cmake COMPATIBILITY SameMajorVersion)
install(FILES ${PROJECT_BINARY_DIR}/convoy-config.cmake ${PROJECT_BINARY_DIR}/convoy-config-version.cmake
  DESTINATION ${package_dir} COMPONENT libconvoy-dev)

# Relative to its own place, so that `cmake --install --prefix elsewhere` and moved folders keep working.
set(pkgconfig_dir ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
file(RELATIVE_PATH pkgconfig_to_prefix ${CMAKE_INSTALL_PREFIX}/${pkgconfig_dir} ${CMAKE_INSTALL_PREFIX})
configure_file(cmake/convoy.pc.in ${PROJECT_BINARY_DIR}/convoy.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/convoy.pc DESTINATION ${pkgconfig_dir} COMPONENT libconvoy-dev)

install(FILES include/convoy/convoy.h include/convoy/convoy.hpp DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/convoy
  COMPONENT libconvoy-dev)
# As they stand in the source tree: they link to each other.
install(FILES README.md ARCHITECTURE.md CHANGELOG.md CONTRIBUTING.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs examples DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES bench/README.md DESTINATION ${CMAKE_INSTALL_DOCDIR}/bench)
install(DIRECTORY bench/results DESTINATION ${CMAKE_INSTALL_DOCDIR}/bench)
install(FILES rules/devices.json DESTINATION ${CMAKE_INSTALL_DOCDIR}/rules)
install(DIRECTORY shapes DESTINATION ${CMAKE_INSTALL_DATADIR}/convoy
  FILES_MATCHING PATTERN "*.tsv" PATTERN "*.txt")

# The man page is what `convoy --help` says. A cross build cannot ask it, a sanitizer build need not.
find_program(CONVOY_HELP2MAN help2man)
if(CONVOY_HELP2MAN AND NOT CMAKE_CROSSCOMPILING AND NOT CONVOY_SANITIZE)
  set(man_page ${PROJECT_BINARY_DIR}/convoy.1)
  add_custom_command(OUTPUT ${man_page}
    COMMAND ${CONVOY_HELP2MAN} --no-info --name "run convolutions that finish, with the right numbers"
            --output ${man_page} $<TARGET_FILE:convoy_cli>
    DEPENDS convoy_cli COMMENT "Writing convoy.1")
  add_custom_target(man ALL DEPENDS ${man_page})
  install(FILES ${man_page} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
endif()
