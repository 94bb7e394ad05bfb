# Run by cpack when the packages' files are laid out: what Debian's policy asks of every package and a plain install does without, the
# licence as "copyright", a changelog, and manual pages packed. SOURCE_DATE_EPOCH, where set, is the changelog's date.
string(TIMESTAMP now "%a, %d %b %Y %H:%M:%S +0000" UTC)
set(contact ${CPACK_PACKAGE_CONTACT})
if(NOT contact MATCHES "<")
  string(APPEND contact " <>")  # the form has a place for an address
endif()
set(changelog "convoy (${CPACK_PACKAGE_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE}) unstable; urgency=medium

  * What is new: CHANGELOG.md, in the documentation of the package convoy.

 -- ${contact}  ${now}
")

foreach(package ${CPACK_COMPONENTS_ALL})
  set(share ${CPACK_TEMPORARY_DIRECTORY}/${package}/usr/share)
  set(documents ${share}/doc/${package})
  file(MAKE_DIRECTORY ${documents})
  file(REMOVE ${documents}/LICENSE)
  configure_file(${CPACK_RESOURCE_FILE_LICENSE} ${documents}/copyright COPYONLY)
  file(WRITE ${documents}/changelog.Debian "${changelog}")
  file(GLOB pages ${share}/man/man*/*)
  execute_process(COMMAND gzip -9nf ${documents}/changelog.Debian ${pages} COMMAND_ERROR_IS_FATAL ANY)
endforeach()
execute_process(COMMAND chmod -R u=rwX,go=rX ${CPACK_TEMPORARY_DIRECTORY} COMMAND_ERROR_IS_FATAL ANY)  # whatever the umask
