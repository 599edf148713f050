# Read by cpack before it makes a package. dpkg-shlibdeps refuses a library that no package has, and
# cuDNN is one.
set(SHLIBDEPS_EXECUTABLE ${CMAKE_CURRENT_LIST_DIR}/shlibdeps)
