// Forked children that work on the CPU while their parent convolves, as a framework's data loaders do: they inherit
// whatever the libraries in the process have set up, use none of it, and end with _exit as Python's do.
#pragma once

#include <sys/types.h>

#include <vector>

namespace convoy::client {

class DataLoaders {
 public:
  ~DataLoaders() { finish(); }
  void start(int count);
  // Ends all. False when one of them crashed or hung.
  bool finish();

 private:
  struct Loader {
    pid_t process;
    int hold;  // the child ends when this end of its pipe closes
  };
  std::vector<Loader> loaders_;
};

}  // namespace convoy::client
