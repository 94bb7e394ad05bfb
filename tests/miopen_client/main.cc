// miopen_client: linked against MIOpen and HIP, as an ordinary C++ program is.
#include "client_main.h"

int main(int count, char** arguments) {
  return miopen_client_main(count, arguments);
}
