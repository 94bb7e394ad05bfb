// The command line.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "client.h"

namespace convoy::client {

struct Options {
  ClientOptions client;
  std::vector<Problem> problems;
  std::vector<Direction> directions{Direction::forward};
  bool bias = false;
  std::uint64_t seed = 1;
  int repeat = 2;
  int threads = 1;  // on each device
  int devices = 1;  // from client.device on
  bool fork = false;
  bool graph = false;
  long hot = 0;
  bool by_dlopen = false;  // MIOpen's functions by dlsym
  bool unload = false;

  bool parallel() const { return threads * devices > 1; }
  // TensorFlow has none in backward data.
  bool bias_in(Direction direction) const {
    return bias && (direction != Direction::backward_data || client.client == "onnxruntime");
  }
  // The null stream is what PyTorch works on, unless a user says otherwise; the others always have streams of their own.
  bool own_stream() const { return parallel() || graph || client.client.rfind("pytorch", 0) != 0; }
};

// A sentence when the command line cannot be understood, or asks for what the client never does.
std::variant<Options, std::string> parse_options(int count, char** arguments);
extern const char* const k_usage;

}  // namespace convoy::client
