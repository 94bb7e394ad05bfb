# convoy_embed_text(target header_name files...): text files as bytes in a generated header, which sources of `target` then
# include as "header_name". File x_1.sql becomes convoy::k_x_1_sql, a std::string_view over exactly the file's bytes.
# The same file is the script that writes the header at build time, so that an edited text rebuilds what includes it.
set(CONVOY_EMBED_TEXT_SCRIPT ${CMAKE_CURRENT_LIST_FILE})

function(convoy_embed_text target header_name)
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/embedded)
  set(header ${folder}/${header_name})
  list(TRANSFORM ARGN PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
  # The list travels to the script with | between paths: a semicolon would be split on the way.
  list(JOIN ARGN "|" files)
  add_custom_command(
    OUTPUT ${header}
    COMMAND ${CMAKE_COMMAND} -DHEADER=${header} "-DFILES=${files}" -P ${CONVOY_EMBED_TEXT_SCRIPT}
    DEPENDS ${ARGN} ${CONVOY_EMBED_TEXT_SCRIPT}
    COMMENT "Embedding ${header_name}"
    VERBATIM)
  # A custom command serves targets of its own folder only; the target may live in a parent folder.
  string(MAKE_C_IDENTIFIER embed_${target}_${header_name} rule)
  add_custom_target(${rule} DEPENDS ${header})
  add_dependencies(${target} ${rule})
  target_include_directories(${target} PRIVATE ${folder})
endfunction()

if(CMAKE_SCRIPT_MODE_FILE AND DEFINED HEADER)
  set(text "// Generated from text files; edit those.\n#pragma once\n\n#include <string_view>\n\nnamespace convoy {\n")
  string(REPLACE "|" ";" FILES "${FILES}")
  foreach(file IN LISTS FILES)
    get_filename_component(name ${file} NAME)
    string(MAKE_C_IDENTIFIER ${name} name)
    file(READ ${file} bytes HEX)
    # Character literals, not a string: no limit on length, no escapes to get wrong. The final 0 is not counted.
    string(REGEX REPLACE "(..)" "'\\\\x\\1'," bytes "${bytes}")
    string(APPEND text
      "inline constexpr char k_${name}_bytes[] = {${bytes}'\\0'};\n"
      "inline constexpr std::string_view k_${name}{k_${name}_bytes, sizeof(k_${name}_bytes) - 1};\n")
  endforeach()
  string(APPEND text "}  // namespace convoy\n")
  file(WRITE ${HEADER} "${text}")
endif()
