# cpack -G DEB: the packages orrery and orrery-cuda. What needs scripts of dpkg is in debian.cmake.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME orrery)
set(CPACK_PACKAGE_VENDOR Orrery)
set(CPACK_PACKAGE_CONTACT "Orrery maintainers <maintainers@users.noreply.github.com>")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_PACKAGE_DIRECTORY ${CMAKE_BINARY_DIR}/packages)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ
    GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_COMPONENTS_GROUPING ONE_PER_GROUP)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_ALL orrery)
if(TARGET orrery_cuda)
  list(APPEND CPACK_COMPONENTS_ALL orrery-cuda)
endif()
set(CPACK_PROJECT_CONFIG_FILE ${CMAKE_CURRENT_LIST_DIR}/debian.cmake)
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_CURRENT_LIST_DIR}/stage.cmake)

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION utils)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
# No such files: told of them, cpack leaves out scripts of its own that would call ldconfig, which has
# no business with modules.
set(CPACK_DEBIAN_ORRERY_PACKAGE_CONTROL_EXTRA ${CMAKE_CURRENT_LIST_DIR}/postinst ${CMAKE_CURRENT_LIST_DIR}/postrm)
set(CPACK_DEBIAN_ORRERY_PACKAGE_NAME orrery)
set(CPACK_DEBIAN_ORRERY_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_ORRERY_PACKAGE_SUGGESTS "orrery-cuda (= ${PROJECT_VERSION})")
set(CPACK_COMPONENT_ORRERY_DESCRIPTION "encryption of archives of medical TIFF scans
Encrypts archives of medical scans, verifies them, decrypts them byte for
byte and re-encrypts them. Every encrypted file is itself a valid TIFF that
shows noise; confidentiality and integrity rest on AES-256-GCM. It also
measures and attacks the published cipher that it carries, and trains and
runs the generator whose images take part in the keys.")
set(CPACK_DEBIAN_ORRERY_DESCRIPTION "${CPACK_COMPONENT_ORRERY_DESCRIPTION}")

set(CPACK_DEBIAN_ORRERY-CUDA_PACKAGE_NAME orrery-cuda)
set(CPACK_DEBIAN_ORRERY-CUDA_PACKAGE_CONTROL_EXTRA ${CPACK_DEBIAN_ORRERY_PACKAGE_CONTROL_EXTRA})
set(CPACK_DEBIAN_ORRERY-CUDA_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_ORRERY-CUDA_PACKAGE_DEPENDS "orrery (= ${PROJECT_VERSION})")
set(CPACK_COMPONENT_ORRERY-CUDA_DESCRIPTION "encryption of archives of medical TIFF scans: CUDA devices
Modules with which orrery uses CUDA devices for its cipher, for the DCGAN
and for their measurements. They need NVIDIA's driver. The DCGAN also needs
cuDNN 9.8 or later of the major version 9, which Debian does not have, so
that this package cannot depend on it: install it from NVIDIA. What is
missing is said by `orrery version`.")
set(CPACK_DEBIAN_ORRERY-CUDA_DESCRIPTION "${CPACK_COMPONENT_ORRERY-CUDA_DESCRIPTION}")

set(CPACK_SOURCE_DIRECTORY_OF_ORRERY ${CMAKE_SOURCE_DIR})
include(CPack)
