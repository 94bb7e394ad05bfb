// The program, also callable from outside when it is a library.
#pragma once

extern "C" __attribute__((visibility("default"))) int miopen_client_main(int count, char** arguments);
