# Writes the linker's version script: the functions of abi/miopen_functions.inc and nothing else.
#   cmake -DLIST=miopen_functions.inc -DMAP=exports.map -P generate_exports.cmake
cmake_minimum_required(VERSION 3.25)
file(READ ${LIST} text)
string(REGEX MATCHALL "\nMIOPEN_[A-Z]+\\(miopen[A-Za-z0-9]+" entries "${text}")
list(TRANSFORM entries REPLACE "\nMIOPEN_[A-Z]+\\(" "")
list(LENGTH entries count)
if(count EQUAL 0)
  message(FATAL_ERROR "${LIST}: no functions found")
endif()
list(JOIN entries ";\n    " names)
file(WRITE ${MAP} "MIOPEN_HIP_1 {\n  global:\n    ${names};\n  local:\n    *;\n};\n")
