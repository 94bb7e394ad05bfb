// Trains a small network in PyTorch's C++ interface, its convolutions guarded by Convoy. CONVOY_FAULT=torch:error makes PyTorch's own
// path fail: the losses stay the same, the last line shows who has computed.
#include <convoy/torch.h>
#include <torch/torch.h>

#include <cstdio>
#include <exception>

struct NetworkImpl : torch::nn::Module {
  torch::Tensor forward(const torch::Tensor& images) {
    return classify(torch::relu(second(torch::relu(first(images)))).mean({2, 3}));
  }

  torch::nn::Conv2d first = register_module("first", torch::nn::Conv2d(torch::nn::Conv2dOptions(3, 16, 3).padding(1)));
  torch::nn::Conv2d second =
      register_module("second", torch::nn::Conv2d(torch::nn::Conv2dOptions(16, 16, 3).stride(2)));
  torch::nn::Linear classify = register_module("classify", torch::nn::Linear(16, 2));
};
TORCH_MODULE(Network);

static void train(Network& network, const torch::Device& device) {
  const torch::Tensor images = torch::randn({32, 3, 24, 24}, device);
  const torch::Tensor is_bright = (images.mean({1, 2, 3}) > 0).to(torch::kLong);
  torch::optim::Adam optimizer(network->parameters(), torch::optim::AdamOptions(0.01));
  for (int step = 0; step < 20; ++step) {
    optimizer.zero_grad();
    const torch::Tensor loss = torch::cross_entropy_loss(network(images), is_bright);
    loss.backward();
    optimizer.step();
    if (step % 5 == 4) std::printf("step %2d: loss %.4f\n", step + 1, loss.item<double>());
  }
}

int main() {
  try {
    torch::manual_seed(1);
    const torch::Device device = torch::cuda::is_available() ? torch::kCUDA : torch::kCPU;
    Network network;
    network->to(device);
    // This model alone; convoy::pytorch::enable() would serve all convolutions of the process.
    std::printf("%zu convolutions are guarded\n", convoy::pytorch::patch_model(*network));
    train(network, device);
    std::printf("%s\n", convoy::pytorch::statistics_json().c_str());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
