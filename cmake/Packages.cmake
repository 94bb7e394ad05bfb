# Debian packages, by `cpack` in a build folder; scripts/package makes a folder for it. A component of the install rules is a package of
# the same name. Further control files are templates in cmake/debian/<package>; what Debian wants of every package, finish.cmake adds.
set(CPACK_GENERATOR DEB)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_PACKAGE_NAME convoy)
set(CPACK_PACKAGE_CONTACT "Convoy contributors")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "")  # would stand before each package's own
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_STRIP_FILES ON)
set(CPACK_PRE_BUILD_SCRIPTS ${PROJECT_SOURCE_DIR}/cmake/debian/finish.cmake)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_SOURCE convoy)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
# The stub needs a library that no package has: the real one under the name that it gets when it is moved aside.
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${PROJECT_BINARY_DIR}/shim/miopen)
set(same_version "(= ${PROJECT_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE})")

# convoy_package(name section "what it is\ndescription" [FIELD value]...): fields of the control file, named as CPack names them.
set(packages ${PROJECT_BINARY_DIR}/packages)
set(CPACK_COMPONENTS_ALL)
macro(convoy_package name section description)
  list(APPEND CPACK_COMPONENTS_ALL ${name})
  string(TOUPPER ${name} upper)
  set(CPACK_DEBIAN_${upper}_PACKAGE_NAME ${name})
  set(CPACK_DEBIAN_${upper}_PACKAGE_SECTION ${section})
  set(CPACK_COMPONENT_${upper}_DESCRIPTION "convolutions that finish, with the right numbers - ${description}")
  file(GLOB templates RELATIVE ${PROJECT_SOURCE_DIR}/cmake/debian CONFIGURE_DEPENDS
    ${PROJECT_SOURCE_DIR}/cmake/debian/${name}/*)
  foreach(template ${templates})
    configure_file(${PROJECT_SOURCE_DIR}/cmake/debian/${template} ${packages}/${template} @ONLY)
    list(APPEND CPACK_DEBIAN_${upper}_PACKAGE_CONTROL_EXTRA ${packages}/${template})
  endforeach()
  set(fields ${ARGN})
  while(fields)
    list(POP_FRONT fields field value)
    set(CPACK_DEBIAN_${upper}_PACKAGE_${field} "${value}")
  endwhile()
endmacro()
# CPack gives packages with libraries scripts that run ldconfig, where dpkg has a trigger; and only shlibs of all libraries, the private
# ones, too. A script that is named but is not there (it warns) keeps it from the former; the latter is a template.
macro(convoy_library_package name)
  convoy_package(${name} ${ARGN})
  list(APPEND CPACK_DEBIAN_${upper}_PACKAGE_CONTROL_EXTRA ${packages}/none/postinst ${packages}/none/postrm)
endmacro()

convoy_library_package(libconvoy0 libs "library
Convoy tries the fastest way to compute a convolution first, suspects in a
child process with a deadline, checks the numbers, and falls to the next best
in the same call: on AMD and NVIDIA GPUs and on processors.
.
This package has the library with its C interface. The children are the
program of the package convoy."
  RECOMMENDS "convoy ${same_version}")

# The exported targets name the program, too.
convoy_package(libconvoy-dev libdevel "headers
The headers of libconvoy for C and C++, and its files for pkg-config and
CMake."
  DEPENDS "libconvoy0 ${same_version}, convoy ${same_version}")

convoy_package(convoy utils "program
The program convoy runs convolutions from logs of MIOpen or its own notation,
measures ahead, shows what is remembered, and says what is wrong with AMD's
software and settings on a machine."
  RECOMMENDS "convoy-miopen ${same_version}"
  SUGGESTS "convoy-sim, convoy-system, libconvoy-dev, python3-convoy")

convoy_library_package(convoy-miopen libs "in front of MIOpen
The library that convoy exec preloads into programs that use MIOpen, and a
libMIOpen.so.1 that can stand before the real one where no preload reaches.
Nothing changes until one of them is used."
  DEPENDS "libconvoy0 ${same_version}" RECOMMENDS "convoy ${same_version}")

# Each file asks the program when it runs, so that nothing changes on a machine that needs nothing.
convoy_package(convoy-system admin "settings of the machine
Login shells, sessions and services get the settings that this machine's GPUs
need: a file in /etc/profile.d, environment generators of systemd, and a udev
rule that asks again when a card arrives."
  DEPENDS "convoy ${same_version}" ARCHITECTURE all)
set(CONVOY_PROGRAM /usr/${CMAKE_INSTALL_BINDIR}/convoy)
set(CONVOY_STRATEGY_OPTION "")
set(CONVOY_SYSTEMD_FOLDER /usr/lib/systemd)
# convoy_system_file(FILES|PROGRAMS template place): as system/README.md says.
function(convoy_system_file kind template place)
  configure_file(system/${template}.in ${packages}/system/${template} @ONLY)
  cmake_path(GET place PARENT_PATH folder)
  cmake_path(GET place FILENAME name)
  install(${kind} ${packages}/system/${template} DESTINATION ${folder} RENAME ${name} COMPONENT convoy-system EXCLUDE_FROM_ALL)
endfunction()
convoy_system_file(FILES profile.sh /etc/profile.d/convoy.sh)
convoy_system_file(FILES profile.fish share/fish/vendor_conf.d/convoy.fish)
convoy_system_file(PROGRAMS system-environment-generator lib/systemd/system-environment-generators/60-convoy)
convoy_system_file(PROGRAMS user-environment-generator lib/systemd/user-environment-generators/60-convoy)
convoy_system_file(FILES convoy-environment.service lib/systemd/system/convoy-environment.service)
convoy_system_file(FILES convoy.rules lib/udev/rules.d/60-convoy.rules)
convoy_system_file(PROGRAMS container-entrypoint share/convoy/container-entrypoint)

if(TARGET convoy_sim_hip)
  convoy_package(convoy-sim utils "AMD GPU in software
Stand-ins for AMD's HIP runtime and MIOpen that execute machine code for AMD
GPUs on the processor, for tests: convoy run --device sim:gfx1010. They lie in
a folder of their own, where no other program finds them."
    RECOMMENDS "libamdhip64-5, libhiprtc-builtins5, libllvm15")
endif()

# For Debian's PyTorch; users of others take a wheel (torch/setup.py).
if(TARGET convoy_torch)
  get_target_property(torch_libraries convoy_torch LINK_LIBRARIES)
endif()
if("${torch_libraries}" MATCHES "/usr/lib/python3/dist-packages/")
  convoy_package(python3-convoy python "PyTorch
The Python package convoy guards the convolutions of PyTorch: import convoy,
then convoy.enable(). The C++ header convoy/torch.h is here, too."
    DEPENDS "libconvoy0 ${same_version}, convoy ${same_version}, python3-torch, python3:any")
  # Where Python looks; the package itself stays where the program looks.
  file(RELATIVE_PATH target /lib/python3/dist-packages /${CMAKE_INSTALL_LIBDIR}/convoy/python/convoy)
  file(CREATE_LINK ${target} ${packages}/convoy SYMBOLIC)
  install(FILES ${packages}/convoy DESTINATION lib/python3/dist-packages COMPONENT python3-convoy EXCLUDE_FROM_ALL)
endif()

include(CPack)
