// convoy/torch.h: what C++ programs use. Everything is compared with plain PyTorch on the same random numbers, and counted: a fault
// makes PyTorch's own path fail wherever Convoy is asked, so that whatever is served has been computed by another.
#include "convoy/torch.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/optim/sgd.h>
#include <torch/serialize.h>
#include <torch/utils.h>

#include <atomic>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <thread>
#include <vector>

#include <nlohmann/json.hpp>

namespace {

namespace pytorch = convoy::pytorch;
namespace nn = torch::nn;
using torch::Tensor;

constexpr std::uint64_t k_seed = 20260118;

// A cache of its own, and no settings of the user's.
class Folder : public testing::Environment {
 public:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "convoy-torch-cpp.XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    path_ = name;
    setenv("CONVOY_CACHE_DIR", name.c_str(), 1);
    setenv("XDG_CONFIG_HOME", name.c_str(), 1);
    at::set_num_threads(1);  // a forked child has none of the others
  }
  void TearDown() override { std::filesystem::remove_all(path_); }

 private:
  std::filesystem::path path_;
};
const auto* const g_folder = testing::AddGlobalTestEnvironment(new Folder);

// Without zeros, which would hide a missing product.
Tensor random(at::IntArrayRef sizes) {
  const Tensor values = torch::randn(sizes);
  return torch::where(values.abs() < 0.05, torch::full_like(values, 0.05), values);
}

void expect_same(const Tensor& actual, const Tensor& expected, const char* what) {
  ASSERT_TRUE(actual.defined() && expected.defined()) << what;
  ASSERT_EQ(actual.sizes(), expected.sizes()) << what;
  const double largest = expected.abs().max().item<double>();
  EXPECT_GT(largest, 0) << what;
  // Sums of up to some hundred products, in single precision.
  EXPECT_LE((actual - expected).abs().max().item<double>(), 1e-5 * largest) << what << ", seed " << k_seed;
}

struct Calls {
  long long forward, backward;
  bool operator==(const Calls& other) const { return forward == other.forward && backward == other.backward; }
};
void PrintTo(const Calls& calls, std::ostream* stream) {
  *stream << calls.forward << " forward, " << calls.backward << " backward";
}

Calls calls() {
  const auto all = nlohmann::json::parse(pytorch::statistics_json()).at("calls");
  return {all.at("forward"), all.at("backward")};
}

// The settings that scopes and patched models get, Convoy being off.
void use_settings(const char* key, const char* value) {
  pytorch::Options options;
  options.others[key] = value;
  pytorch::enable(options);
  pytorch::disable();
}

// PyTorch's own path fails wherever Convoy is asked.
void let_plain_path_fail() {
  use_settings("fault", "torch:error");
}

// While one lives: settings under which nothing was ever served, so that gradients are PyTorch's own, too.
struct PlainPyTorch {
  PlainPyTorch() { use_settings("threads", "1"); }
  ~PlainPyTorch() { let_plain_path_fail(); }
};

class TorchCpp : public testing::Test {
 protected:
  void SetUp() override {
    torch::manual_seed(k_seed);
    let_plain_path_fail();
    convoy_torch_reset_statistics();
  }
  void TearDown() override { pytorch::disable(); }
};

void copy_parameters(const nn::Module& from, nn::Module& to) {
  const torch::NoGradGuard no_grad;
  const auto source = from.parameters();
  const auto target = to.parameters();
  ASSERT_EQ(source.size(), target.size());
  for (std::size_t i = 0; i < source.size(); ++i) target[i].copy_(source[i]);
}

struct Run {
  Tensor output, input_gradient;
};

template <typename Model>
Run run(Model& model, const Tensor& input, const Tensor& weights) {
  const Tensor x = input.clone().requires_grad_(true);
  model->zero_grad();
  const Tensor y = model->forward(x);
  (y * weights.slice(0, 0, y.numel()).view_as(y)).sum().backward();
  return {y, x.grad()};
}

// Outputs and gradients of two modules with the same parameters; the expected ones are computed by plain PyTorch.
template <typename Actual, typename Expected>
void expect_same_run(Actual& actual, Expected& expected, const Tensor& input) {
  const Tensor weights = random({10000});
  const Run served = run(actual, input, weights);
  const PlainPyTorch plain_pytorch;
  const Run plain = run(expected, input, weights);
  expect_same(served.output, plain.output, "output");
  expect_same(served.input_gradient, plain.input_gradient, "gradient of the input");
  const auto parameters = actual->named_parameters();
  for (const auto& parameter : expected->named_parameters())
    expect_same(parameters[parameter.key()].grad(), parameter.value().grad(), parameter.key().c_str());
  EXPECT_EQ(calls(), (Calls{0, 0})) << "what was expected is not plain PyTorch's";
}

template <typename Safe, typename Plain, typename Options>
void check_module(const Options& options, at::IntArrayRef sizes) {
  Safe safe(options);
  Plain plain(options);
  copy_parameters(*plain, *safe);
  expect_same_run(safe, plain, random(sizes));
  EXPECT_EQ(calls(), (Calls{1, 1}));
}

TEST_F(TorchCpp, SafeConv1d) {
  check_module<pytorch::SafeConv1d, nn::Conv1d>(nn::Conv1dOptions(3, 6, 3).padding(1).dilation(2), {2, 3, 17});
}

TEST_F(TorchCpp, SafeConv2d) {
  check_module<pytorch::SafeConv2d, nn::Conv2d>(nn::Conv2dOptions(4, 6, {3, 2}).stride(2).groups(2), {2, 4, 9, 8});
}

TEST_F(TorchCpp, SafeConv2dWithPaddingSame) {
  check_module<pytorch::SafeConv2d, nn::Conv2d>(nn::Conv2dOptions(3, 5, 3).padding(torch::kSame), {2, 3, 7, 9});
}

TEST_F(TorchCpp, SafeConv3d) {
  check_module<pytorch::SafeConv3d, nn::Conv3d>(nn::Conv3dOptions(2, 3, 2).bias(false), {1, 2, 4, 5, 6});
}

TEST_F(TorchCpp, SafeConvTranspose1d) {
  check_module<pytorch::SafeConvTranspose1d, nn::ConvTranspose1d>(nn::ConvTranspose1dOptions(3, 4, 3).stride(2),
                                                                  {2, 3, 7});
}

TEST_F(TorchCpp, SafeConvTranspose2d) {
  const auto options = nn::ConvTranspose2dOptions(4, 6, 3).stride(2).padding(1).output_padding(1).groups(2);
  check_module<pytorch::SafeConvTranspose2d, nn::ConvTranspose2d>(options, {2, 4, 5, 6});
}

TEST_F(TorchCpp, SafeConvTranspose3d) {
  check_module<pytorch::SafeConvTranspose3d, nn::ConvTranspose3d>(nn::ConvTranspose3dOptions(2, 3, 2), {1, 2, 3, 4, 3});
}

TEST_F(TorchCpp, TransposedTakesAnOutputSize) {
  pytorch::SafeConvTranspose2d safe(nn::ConvTranspose2dOptions(3, 2, 3).stride(2));
  const std::vector<std::int64_t> wanted{12, 10};
  const Tensor y = safe->forward(random({1, 3, 5, 4}), at::IntArrayRef(wanted));
  EXPECT_EQ(y.sizes(), (at::IntArrayRef{1, 2, 12, 10}));
}

nn::Sequential safe_network() {
  return nn::Sequential(pytorch::SafeConv2d(nn::Conv2dOptions(3, 4, 3).padding(1)), nn::ReLU(),
                        pytorch::SafeConvTranspose2d(nn::ConvTranspose2dOptions(4, 2, 2).stride(2)));
}

nn::Sequential plain_network() {
  return nn::Sequential(nn::Conv2d(nn::Conv2dOptions(3, 4, 3).padding(1)), nn::ReLU(),
                        nn::ConvTranspose2d(nn::ConvTranspose2dOptions(4, 2, 2).stride(2)));
}

TEST_F(TorchCpp, SafeModulesInSequential) {
  auto safe = safe_network();
  auto plain = plain_network();
  copy_parameters(*plain, *safe);
  expect_same_run(safe, plain, random({2, 3, 6, 5}));
  EXPECT_EQ(calls(), (Calls{2, 2}));
}

TEST_F(TorchCpp, ClonesStaySafe) {
  auto safe = safe_network();
  safe->eval();
  auto plain = plain_network();
  copy_parameters(*safe, *plain);
  const auto clone = std::dynamic_pointer_cast<nn::SequentialImpl>(safe->clone());
  ASSERT_NE(clone, nullptr);
  EXPECT_NE(clone->parameters()[0].data_ptr(), safe->parameters()[0].data_ptr());
  EXPECT_FALSE(clone->ptr(0)->is_training());
  ASSERT_NE(clone->ptr(0)->as<pytorch::SafeConv2dImpl>(), nullptr);
  {
    const torch::NoGradGuard no_grad;
    for (const Tensor& parameter : safe->parameters()) parameter.zero_();
  }
  expect_same_run(clone, plain, random({2, 3, 6, 5}));
  EXPECT_EQ(calls(), (Calls{2, 2}));
}

// As people write networks: convolutions in members.
struct NetworkImpl : nn::Cloneable<NetworkImpl> {
  NetworkImpl() { reset(); }
  void reset() override {
    first = register_module("first", nn::Conv2d(nn::Conv2dOptions(3, 4, 3).padding(1)));
    second = register_module("second", nn::Conv2d(nn::Conv2dOptions(4, 4, 3).groups(2).bias(false)));
    rest = register_module(
        "rest", nn::Sequential(nn::ConvTranspose2d(nn::ConvTranspose2dOptions(4, 2, 2).stride(2)), nn::Tanh()));
  }
  Tensor forward(const Tensor& x) { return rest->forward(second(torch::relu(first(x)))); }

  nn::Conv2d first{nullptr}, second{nullptr};
  nn::Sequential rest{nullptr};
};
TORCH_MODULE(Network);

class Patch : public TorchCpp {
 protected:
  void SetUp() override {
    TorchCpp::SetUp();
    copy_parameters(*plain_, *patched_);
  }

  Network patched_, plain_;
  const Tensor input_ = random({2, 3, 6, 7});
};

TEST_F(Patch, ServesTheModelAlone) {
  EXPECT_EQ(pytorch::patch_model(*patched_), 3U);
  plain_->forward(input_);
  EXPECT_EQ(calls(), (Calls{0, 0}));
  expect_same_run(patched_, plain_, input_);
  EXPECT_EQ(calls(), (Calls{3, 3}));
}

TEST_F(Patch, UnpatchedIsAsBefore) {
  pytorch::patch_model(*patched_);
  EXPECT_EQ(pytorch::patch_model(*patched_), 3U);
  pytorch::unpatch_model(*patched_);
  patched_->forward(input_);
  EXPECT_EQ(calls(), (Calls{0, 0}));
}

TEST_F(Patch, StaysThroughConversionAndLoading) {
  pytorch::patch_model(*patched_);
  patched_->to(torch::kFloat64);
  patched_->to(torch::kFloat32);
  std::stringstream file;
  torch::save(plain_, file);
  torch::load(patched_, file);
  expect_same_run(patched_, plain_, input_);
  EXPECT_EQ(calls(), (Calls{3, 3}));
}

TEST_F(Patch, OfOneConvolutionThatIsInNoPointer) {
  nn::Conv2dImpl convolution(3, 4, 3);
  EXPECT_EQ(pytorch::patch_model(convolution), 1U);
  convolution.forward(input_);
  EXPECT_EQ(calls().forward, 1);
  nn::ReLUImpl none;
  EXPECT_EQ(pytorch::patch_model(none), 0U);
}

TEST_F(Patch, DoesNotReachClonesAndKeepsNothingAlive) {
  pytorch::patch_model(*patched_);
  const auto clone = std::dynamic_pointer_cast<NetworkImpl>(patched_->clone());
  clone->forward(input_);
  EXPECT_EQ(calls(), (Calls{0, 0}));
  const auto weight =
      c10::weak_intrusive_ptr<at::TensorImpl, at::UndefinedTensorImpl>(patched_->first->weight.getIntrusivePtr());
  patched_ = Network();
  EXPECT_TRUE(weight.expired());
  // Addresses are used again: none of the new ones may pass for a patched one.
  for (int i = 0; i < 20; ++i) Network()->forward(input_);
  EXPECT_EQ(calls(), (Calls{0, 0}));
  // The next model that is patched makes the door forget those that are gone.
  pytorch::patch_model(*plain_);
  EXPECT_EQ(weight.weak_use_count(), 1U);
}

TEST_F(Patch, ServesAForkedChild) {
  pytorch::patch_model(*patched_);
  const Tensor expected = plain_->forward(input_).detach();
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const torch::NoGradGuard no_grad;
    Network another;
    pytorch::patch_model(*another);
    const Tensor actual = patched_->forward(input_);
    _exit(calls().forward == 3 && (actual - expected).abs().max().item<double>() < 1e-4 ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

TEST_F(Patch, FromManyThreads) {
  pytorch::patch_model(*patched_);
  const Tensor expected = plain_->forward(input_).detach();
  std::atomic<int> wrong{0};
  const auto compute = [&] {
    const torch::NoGradGuard no_grad;
    for (int i = 0; i < 30; ++i)
      wrong += (patched_->forward(input_) - expected).abs().max().item<double>() < 1e-4 ? 0 : 1;
  };
  const auto patch = [] {
    for (int i = 0; i < 30; ++i) {
      Network other;
      pytorch::patch_model(*other);
      if (i % 2 == 0) pytorch::unpatch_model(*other);
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back(compute);
    threads.emplace_back(patch);
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(calls().forward, 180);
}

TEST_F(Patch, TrainsAsPlainPyTorch) {
  pytorch::patch_model(*patched_);
  const auto train = [this](Network& model) {
    torch::optim::SGD optimizer(model->parameters(), torch::optim::SGDOptions(0.1).momentum(0.9));
    std::vector<double> losses;
    for (int i = 0; i < 5; ++i) {
      optimizer.zero_grad();
      const Tensor loss = (model->forward(input_) - 0.5).square().mean();
      loss.backward();
      optimizer.step();
      losses.push_back(loss.item<double>());
    }
    return losses;
  };
  const auto actual = train(patched_);
  EXPECT_EQ(calls(), (Calls{15, 15}));
  const PlainPyTorch plain_pytorch;
  const auto expected = train(plain_);
  EXPECT_EQ(calls(), (Calls{0, 0}));
  EXPECT_LT(expected.back(), expected.front());
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(actual[i], expected[i], 1e-4 * expected[i]) << i;
}

TEST_F(Patch, EnableServesAll) {
  pytorch::Options options;
  options.strategy = "cpu";
  options.verify = "full";
  options.size_threshold = 7;
  pytorch::enable(options);
  EXPECT_TRUE(pytorch::is_enabled());
  convoy_torch_reset_statistics();
  const Tensor served = plain_->forward(input_);
  EXPECT_EQ(calls().forward, 3);
  pytorch::disable();
  EXPECT_FALSE(pytorch::is_enabled());
  expect_same(served, plain_->forward(input_), "output");
  EXPECT_EQ(calls().forward, 3);
}

TEST_F(Patch, ScopesNestAndCountLayers) {
  {
    const pytorch::Scope scope;
    const Tensor outer = plain_->first(input_);
    {
      const pytorch::Scope inner(7);
      plain_->second(outer);
    }
    plain_->first(input_);
  }
  plain_->forward(input_);
  EXPECT_EQ(calls().forward, 3);
  const auto layers = nlohmann::json::parse(pytorch::statistics_json()).at("layers");
  ASSERT_EQ(layers.size(), 1U) << layers;
  EXPECT_EQ(layers.at("7").at("forwards"), 1);
}

template <typename Error>
std::string thrown_by(const pytorch::Options& options) {
  try {
    pytorch::enable(options);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST_F(TorchCpp, WrongSettingsAreNamed) {
  pytorch::Options options;
  options.strategy = "fastest";
  const std::string why = thrown_by<std::invalid_argument>(options);
  EXPECT_NE(why.find("strategy"), std::string::npos) << why;
  EXPECT_NE(why.find("implicit_gemm"), std::string::npos) << "no cure: " << why;
  options = {};
  options.size_threshold = -1;
  EXPECT_NE(thrown_by<std::invalid_argument>(options).find("size_threshold"), std::string::npos);
  options = {};
  options.others["no_such_setting"] = "1";
  EXPECT_NE(thrown_by<std::invalid_argument>(options).find("no_such_setting"), std::string::npos);
  EXPECT_FALSE(pytorch::is_enabled());
}

TEST_F(TorchCpp, SettingsAreOneLine) {
  for (const auto& [key, value] : std::map<std::string, std::string>{
           {"find", "find\nverify=off"}, {"a=b", "1"}, {"", "1"}, {"c\nd", "1"}, {"probe", std::string("/x\0y", 4)}}) {
    pytorch::Options options;
    options.others[key] = value;
    EXPECT_NE(thrown_by<std::invalid_argument>(options).find("one line"), std::string::npos) << key;
  }
  EXPECT_FALSE(pytorch::is_enabled());
}

TEST_F(TorchCpp, PyTorchsOwnErrorsArrive) {
  pytorch::SafeConv2d safe(3, 4, 3);
  EXPECT_THROW(safe->forward(torch::ones({1, 2, 5, 5})), c10::Error);
  // And the scope has been left.
  convoy_torch_reset_statistics();
  nn::Conv2d(3, 4, 3)->forward(torch::ones({1, 3, 5, 5}));
  EXPECT_EQ(calls(), (Calls{0, 0}));
}

}  // namespace
