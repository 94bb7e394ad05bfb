// Where this code was loaded from.
#pragma once

#include <string>

namespace convoy {

// The folder of the program or shared library that holds this code, resolved; empty when that cannot be known. A relative name
// is one that the caller chose (argv[0]): it is not looked up in whatever folder is current.
std::string own_folder();

}  // namespace convoy
