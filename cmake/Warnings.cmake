# Warnings and sanitizers, on one INTERFACE target that every target of ours links.
add_library(convoy_warnings INTERFACE)
target_compile_options(convoy_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wold-style-cast -Wcast-qual
  -Wunused -Woverloaded-virtual -Wformat=2 -Wimplicit-fallthrough)
if(CONVOY_WERROR)
  target_compile_options(convoy_warnings INTERFACE -Werror)
endif()
if(CONVOY_SANITIZE)
  target_compile_options(convoy_warnings INTERFACE
    -fsanitize=${CONVOY_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer
    # GCC's data-flow warnings see the sanitizers' own branches and report what no source line says.
    -Wno-maybe-uninitialized)
  target_link_options(convoy_warnings INTERFACE -fsanitize=${CONVOY_SANITIZE})
endif()
