// How often this thread has asked for memory: the program's own malloc stands in front of libc's (malloc_count.cc).
#pragma once

extern "C" __attribute__((visibility("default"))) long long miopen_client_malloc_count();
