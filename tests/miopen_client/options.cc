// Reads the command line. Each option is one line of the table in read_option().
#include "options.h"

#include <cstdlib>
#include <functional>
#include <map>

namespace convoy::client {

const char* const k_usage =
    "usage: miopen_client [option]...   makes the MIOpen calls of a framework and checks what comes out\n"
    "  --client NAME      pytorch-1.13-benchmark pytorch-1.13-immediate pytorch-2.7 pytorch-2.9\n"
    "                     onnxruntime tensorflow tensorflow-immediate\n"
    "  --shape TEXT       n2c8h9w11:k16r3s3:pad1x1:stride1x1:dil1x1:g1, may be repeated; d and t: 3-D, no h and r: "
    "1-D\n"
    "  --direction NAME   fwd bwd wrw all\n"
    "  --dtype NAME       f32 f16 bf16\n"
    "  --layout NAME      nchw nhwc, in any number of dimensions\n"
    "  --repeat N         calls for each shape and direction, with new inputs and descriptors (2)\n"
    "  --bias             onnxruntime: ForwardBias; tensorflow: ForwardBias and BackwardBias\n"
    "  --seed N           of the inputs (1)\n"
    "  --device N         the device, or the first one (0)\n"
    "  --devices N        a thread for each of so many devices\n"
    "  --threads N        so many threads for each device, each with its handle and stream\n"
    "  --deterministic --benchmark --oom            PyTorch: the flags; the first workspace to run with fails\n"
    "  --immediate --descriptors-v2                 pytorch-2.9\n"
    "  --fork             data-loader workers, forked before and after the first use of the GPU\n"
    "  --graph            captures each convolution once warm, replays it twice with new inputs\n"
    "  --hot N            times N calls of the function that runs, in nanoseconds, and counts its malloc calls\n"
    "  --load HOW         linked or dlopen: how MIOpen's functions are found (tensorflow-immediate: dlopen)\n"
    "  --unload           closes at the end what was opened by dlopen\n"
    "exit status: 0 all right, 1 wrong numbers, 2 usage, 3 a status that the framework throws for, 4 HIP failed\n";

namespace {

struct Parsed {
  Options options;
  std::vector<std::string> shapes{};
  std::string dtype = "f32", layout = "nchw", direction = "fwd", load;
};

const std::map<std::string, bool Options::*> k_flags{{"--bias", &Options::bias},
                                                     {"--fork", &Options::fork},
                                                     {"--graph", &Options::graph},
                                                     {"--unload", &Options::unload}};
const std::map<std::string, bool ClientOptions::*> k_client_flags{{"--deterministic", &ClientOptions::deterministic},
                                                                  {"--benchmark", &ClientOptions::benchmark},
                                                                  {"--immediate", &ClientOptions::immediate},
                                                                  {"--descriptors-v2", &ClientOptions::descriptors_v2},
                                                                  {"--oom", &ClientOptions::out_of_memory}};
const std::map<std::string, DataType> k_dtypes{{"f32", k_float}, {"f16", k_half}, {"bf16", k_bfloat16}};
const std::map<std::string, std::vector<Direction>> k_directions{
    {"fwd", {Direction::forward}},
    {"bwd", {Direction::backward_data}},
    {"wrw", {Direction::backward_weights}},
    {"all", {Direction::forward, Direction::backward_data, Direction::backward_weights}}};

bool read_number(const std::string& text, long least, long most, const std::function<void(long)>& take) {
  char* end = nullptr;
  const long value = std::strtol(text.c_str(), &end, 10);
  if (text.empty() || *end != '\0' || value < least || value > most) return false;
  take(value);
  return true;
}

bool read_option(const std::string& name, const std::string& value, Parsed& parsed) {
  Options& options = parsed.options;
  const auto number = [&](long least, long most, auto& target) {
    return read_number(value, least, most,
                       [&](long read) { target = static_cast<std::decay_t<decltype(target)>>(read); });
  };
  if (name == "--client") return options.client.client = value, is_client(value);
  if (name == "--shape") return parsed.shapes.push_back(value), true;
  if (name == "--direction") return parsed.direction = value, k_directions.count(value) == 1;
  if (name == "--dtype") return parsed.dtype = value, k_dtypes.count(value) == 1;
  if (name == "--layout") return parsed.layout = value, value == "nchw" || value == "nhwc";
  if (name == "--load") return parsed.load = value, value == "linked" || value == "dlopen";
  if (name == "--repeat") return number(1, 1'000'000, options.repeat);
  if (name == "--seed") return number(0, 1L << 62, options.seed);
  if (name == "--device") return number(0, 255, options.client.device);
  if (name == "--devices") return number(1, 256, options.devices);
  if (name == "--threads") return number(1, 256, options.threads);
  if (name == "--hot") return number(1, 1L << 40, options.hot);
  return false;
}

// Shapes take their type and layout; what the client does not do is refused, or left out of "all".
std::string complete(Parsed& parsed) {
  Options& options = parsed.options;
  options.directions = k_directions.at(parsed.direction);
  if (parsed.shapes.empty()) parsed.shapes = {"n2c8h9w11:k12r3s3:pad1x1"};
  for (const std::string& shape : parsed.shapes) {
    auto problem = parse_problem(shape);
    if (!problem) return "not a shape: " + shape;
    problem->dtype = k_dtypes.at(parsed.dtype);
    problem->channels_last = parsed.layout == "nhwc";
    options.problems.push_back(*problem);
  }
  if (parsed.direction == "all" && options.client.client == "onnxruntime") options.directions.pop_back();
  for (const Problem& problem : options.problems) {
    for (Direction direction : options.directions) {
      std::string sentence = refusal(options.client, problem, direction, options.bias);
      if (!sentence.empty()) return sentence;
    }
  }
  // TensorFlow looks all its functions up by dlsym. One of its two replicas does, so that the other's calls, too, can be
  // tried behind LD_PRELOAD without saying so.
  const bool opens = options.client.client == "tensorflow-immediate";
  options.by_dlopen = parsed.load.empty() ? opens : parsed.load == "dlopen";
  return {};
}

}  // namespace

std::variant<Options, std::string> parse_options(int count, char** arguments) {
  Parsed parsed;
  for (int i = 1; i < count; ++i) {
    const std::string name = arguments[i];
    if (const auto flag = k_flags.find(name); flag != k_flags.end()) {
      parsed.options.*flag->second = true;
    } else if (const auto other = k_client_flags.find(name); other != k_client_flags.end()) {
      parsed.options.client.*other->second = true;
    } else if (i + 1 == count || !read_option(name, arguments[i + 1], parsed)) {
      return "cannot understand " + name + (i + 1 < count ? std::string(" ") + arguments[i + 1] : "");
    } else {
      ++i;
    }
  }
  std::string sentence = complete(parsed);
  if (!sentence.empty()) return sentence;
  return parsed.options;
}

}  // namespace convoy::client
