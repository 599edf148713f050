# Run by cpack on the staged files, a folder for each package: what Debian wants beside the files that
# `cmake --install` puts anywhere.
set(source ${CPACK_SOURCE_DIRECTORY_OF_ORRERY})
file(READ ${source}/scripts/package/copyright copyright)

# Date of the commit: the same tree gives the same packages.
execute_process(COMMAND git -C ${source} log -1 --format=%cD OUTPUT_VARIABLE date OUTPUT_STRIP_TRAILING_WHITESPACE)
execute_process(COMMAND git -C ${source} log -1 --format=%ct OUTPUT_VARIABLE seconds OUTPUT_STRIP_TRAILING_WHITESPACE)
if(NOT date)
  message(FATAL_ERROR "packages are made in a git checkout: the changelog takes the commit's date")
endif()
set(ENV{SOURCE_DATE_EPOCH} ${seconds})

foreach(package IN LISTS CPACK_COMPONENTS_ALL)
  set(share ${CPACK_TEMPORARY_DIRECTORY}/${package}/usr/share)
  set(doc ${share}/doc/${package})
  file(WRITE ${doc}/copyright "${copyright}")
  file(WRITE ${doc}/changelog "${package} (${CPACK_PACKAGE_VERSION}) unstable; urgency=medium

  * See CHANGELOG.md in the package orrery.

 -- ${CPACK_PACKAGE_CONTACT}  ${date}
")
  file(REMOVE ${share}/doc/orrery/LICENSE) # in Debian's common-licenses
  file(GLOB pages ${share}/man/man1/*.1)
  execute_process(COMMAND gzip -9n ${doc}/changelog ${pages} COMMAND_ERROR_IS_FATAL ANY)
  if(EXISTS ${share}/zsh/site-functions) # where Debian's zsh looks
    file(RENAME ${share}/zsh/site-functions ${share}/zsh/vendor-completions)
  endif()
  if(EXISTS ${source}/scripts/package/${package}.lintian)
    file(MAKE_DIRECTORY ${share}/lintian/overrides)
    file(COPY_FILE ${source}/scripts/package/${package}.lintian ${share}/lintian/overrides/${package})
  endif()
endforeach()
