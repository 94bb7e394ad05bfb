# Writes from symbols.list the linker's version script and the source of what is exported but not emulated.
#   cmake -DLIST=symbols.list -DMAP=exports.map -DSOURCE=unsupported.cc -P generate_exports.cmake
cmake_minimum_required(VERSION 3.25)
file(STRINGS ${LIST} lines REGEX "^[^#]")
set(emulated "")
set(functions "")
set(versions "")
foreach(line IN LISTS lines)
  if(NOT line MATCHES "^([^ ]+) ([^ ]+) (emulated|unsupported|null)$")
    message(FATAL_ERROR "${LIST}: \"${line}\" is not: version name emulated|unsupported|null")
  endif()
  set(version ${CMAKE_MATCH_1})
  set(name ${CMAKE_MATCH_2})
  list(APPEND versions ${version})
  list(APPEND names_of_${version} ${name})
  if(CMAKE_MATCH_3 STREQUAL "emulated")
    # A C++ name is _Z, a length, the plain name of that length, the types.
    if(name MATCHES "^_Z([0-9]+)(.*)$")
      string(SUBSTRING ${CMAKE_MATCH_2} 0 ${CMAKE_MATCH_1} name)
    endif()
    string(APPEND emulated "    \"${name}\",\n")
  elseif(CMAKE_MATCH_3 STREQUAL "null")
    string(APPEND functions "CONVOY_EXPORT const void* ${name}() { return convoy::hip::answer_unsupported(\"${name}\"), nullptr; }\n")
  else()
    string(APPEND functions "CONVOY_EXPORT int ${name}() { return convoy::hip::answer_unsupported(\"${name}\"); }\n")
  endif()
endforeach()

# Each version inherits the one before, as in AMD's library. What is not listed stays inside.
list(REMOVE_DUPLICATES versions)
set(map "")
set(parent "")
foreach(version IN LISTS versions)
  list(JOIN names_of_${version} ";\n    " names)
  string(APPEND map "${version} {\n  global:\n    ${names};\n}${parent};\n")
  set(parent " ${version}")
endforeach()
string(APPEND map "CONVOY_SIM_1 {\n  global:\n    convoy_sim_configure;\n    convoy_sim_report;\n  local:\n    *;\n};\n")
file(WRITE ${MAP} "${map}")

file(WRITE ${SOURCE}
  "// Generated from symbols.list; edit that.\n"
  "#include <algorithm>\n#include <string_view>\n\n#include \"sim/hip/symbols.h\"\n\n"
  "#define CONVOY_EXPORT extern \"C\" __attribute__((visibility(\"default\")))\n\n"
  "namespace {\nconstexpr std::string_view k_emulated[] = {\n${emulated}};\n}  // namespace\n\n"
  "bool convoy::hip::is_emulated(std::string_view name) {\n"
  "  return std::find(std::begin(k_emulated), std::end(k_emulated), name) != std::end(k_emulated);\n}\n\n${functions}")
