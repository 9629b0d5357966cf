// The networks of float_step_<net>, written against stock libtorch's torch::nn, and their median
// training step: espalier_torch_reference NET BATCH IMAGE_SIZE THREADS STEPS.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include <torch/torch.h>

namespace {

namespace nn = torch::nn;

struct ConvBnImpl : nn::Module {
  ConvBnImpl(std::int64_t inputs, std::int64_t outputs, std::int64_t kernel, std::int64_t stride,
             std::int64_t groups)
      : conv(register_module("conv", nn::Conv2d(nn::Conv2dOptions(inputs, outputs, kernel)
                                                    .stride(stride)
                                                    .padding(kernel / 2)
                                                    .groups(groups)
                                                    .bias(false)))),
        norm(register_module("norm", nn::BatchNorm2d(outputs))) {}
  torch::Tensor forward(const torch::Tensor& images) {
    return norm->forward(conv->forward(images));
  }
  nn::Conv2d conv;
  nn::BatchNorm2d norm;
};
TORCH_MODULE(ConvBn);

struct MobileNetV1Impl : nn::Module {
  explicit MobileNetV1Impl(std::int64_t classes) {
    add(3, 32, 3, 2, 1);
    const std::vector<std::pair<std::int64_t, std::int64_t>> blocks = {
        {64, 1},  {128, 2}, {128, 1}, {256, 2}, {256, 1},  {512, 2}, {512, 1},
        {512, 1}, {512, 1}, {512, 1}, {512, 1}, {1024, 2}, {1024, 1}};
    std::int64_t channels = 32;
    for (const auto& [outputs, stride] : blocks) {
      add(channels, channels, 3, stride, channels);
      add(channels, outputs, 1, 1, 1);
      channels = outputs;
    }
    register_module("layers", layers);
    head = register_module("head", nn::Linear(channels, classes));
  }
  void add(std::int64_t inputs, std::int64_t outputs, std::int64_t kernel, std::int64_t stride,
           std::int64_t groups) {
    layers->push_back(ConvBn(inputs, outputs, kernel, stride, groups));
    layers->push_back(nn::ReLU(nn::ReLUOptions(/*inplace=*/true)));
  }
  torch::Tensor forward(const torch::Tensor& images) {
    return head->forward(layers->forward(images).mean({2, 3}));
  }
  nn::Sequential layers;
  nn::Linear head{nullptr};
};
TORCH_MODULE(MobileNetV1);

struct BlockImpl : nn::Module {
  BlockImpl(std::int64_t inputs, std::int64_t outputs, std::int64_t stride)
      : first(register_module("first", ConvBn(inputs, outputs, 3, stride, 1))),
        second(register_module("second", ConvBn(outputs, outputs, 3, 1, 1))) {
    if (inputs != outputs || stride != 1) {
      shortcut = register_module("shortcut", ConvBn(inputs, outputs, 1, stride, 1));
    }
  }
  torch::Tensor forward(const torch::Tensor& images) {
    const torch::Tensor skip = shortcut.is_empty() ? images : shortcut->forward(images);
    return second->forward(first->forward(images).relu_()).add_(skip).relu_();
  }
  ConvBn first;
  ConvBn second;
  ConvBn shortcut{nullptr};
};
TORCH_MODULE(Block);

struct ResNet20Impl : nn::Module {
  explicit ResNet20Impl(std::int64_t classes) {
    layers->push_back(ConvBn(3, 16, 3, 1, 1));
    layers->push_back(nn::ReLU(nn::ReLUOptions(/*inplace=*/true)));
    std::int64_t channels = 16;
    for (int stage = 0; stage < 3; ++stage) {
      for (int block = 0; block < 3; ++block) {
        const std::int64_t outputs = std::int64_t{16} << stage;
        layers->push_back(Block(channels, outputs, stage > 0 && block == 0 ? 2 : 1));
        channels = outputs;
      }
    }
    register_module("layers", layers);
    head = register_module("head", nn::Linear(channels, classes));
  }
  torch::Tensor forward(const torch::Tensor& images) {
    return head->forward(layers->forward(images).mean({2, 3}));
  }
  nn::Sequential layers;
  nn::Linear head{nullptr};
};
TORCH_MODULE(ResNet20);

struct BottleneckImpl : nn::Module {
  BottleneckImpl(std::int64_t inputs, std::int64_t width, std::int64_t stride)
      : first(register_module("first", ConvBn(inputs, width, 1, 1, 1))),
        second(register_module("second", ConvBn(width, width, 3, stride, 1))),
        third(register_module("third", ConvBn(width, 4 * width, 1, 1, 1))) {
    if (inputs != 4 * width || stride != 1) {
      shortcut = register_module("shortcut", ConvBn(inputs, 4 * width, 1, stride, 1));
    }
  }
  torch::Tensor forward(const torch::Tensor& images) {
    const torch::Tensor skip = shortcut.is_empty() ? images : shortcut->forward(images);
    const torch::Tensor inner = second->forward(first->forward(images).relu_()).relu_();
    return third->forward(inner).add_(skip).relu_();
  }
  ConvBn first;
  ConvBn second;
  ConvBn third;
  ConvBn shortcut{nullptr};
};
TORCH_MODULE(Bottleneck);

struct ResNet50Impl : nn::Module {
  explicit ResNet50Impl(std::int64_t classes) {
    layers->push_back(ConvBn(3, 64, 7, 2, 1));
    layers->push_back(nn::ReLU(nn::ReLUOptions(/*inplace=*/true)));
    layers->push_back(nn::MaxPool2d(nn::MaxPool2dOptions(3).stride(2).padding(1)));
    const std::vector<int> blocks = {3, 4, 6, 3};
    std::int64_t channels = 64;
    for (std::size_t stage = 0; stage < blocks.size(); ++stage) {
      for (int block = 0; block < blocks[stage]; ++block) {
        const std::int64_t width = std::int64_t{64} << stage;
        layers->push_back(Bottleneck(channels, width, stage > 0 && block == 0 ? 2 : 1));
        channels = 4 * width;
      }
    }
    register_module("layers", layers);
    head = register_module("head", nn::Linear(channels, classes));
  }
  torch::Tensor forward(const torch::Tensor& images) {
    return head->forward(layers->forward(images).mean({2, 3}));
  }
  nn::Sequential layers;
  nn::Linear head{nullptr};
};
TORCH_MODULE(ResNet50);

void make_channels_last(nn::Module& net) {
  const torch::NoGradGuard no_gradients;
  for (torch::Tensor& parameter : net.parameters()) {
    if (parameter.dim() == 4) {
      parameter.set_data(parameter.contiguous(torch::MemoryFormat::ChannelsLast));
    }
  }
}

double peak_mib() {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("VmHWM:", 0) == 0) return std::stod(line.substr(6)) / 1024;
  }
  return 0;
}

struct Shape {
  std::int64_t batch;
  std::int64_t image_size;
};

template <typename Net>
std::vector<double> time_steps(Net net, const Shape& shape, int steps) {
  constexpr int kWarmUp = 5;
  make_channels_last(*net);
  net->train();
  torch::optim::SGD optimizer(net->parameters(),
                              torch::optim::SGDOptions(0.01).momentum(0.9).weight_decay(1e-4));
  const torch::Tensor images = torch::randn({shape.batch, 3, shape.image_size, shape.image_size})
                                   .contiguous(torch::MemoryFormat::ChannelsLast);
  const torch::Tensor labels = torch::arange(shape.batch).remainder(10);
  std::vector<double> times;
  for (int step = 0; step < kWarmUp + steps; ++step) {
    const auto start = std::chrono::steady_clock::now();
    const torch::Tensor loss = nn::functional::cross_entropy(net->forward(images), labels);
    optimizer.zero_grad();
    loss.backward();
    optimizer.step();
    const std::chrono::duration<double, std::milli> spent =
        std::chrono::steady_clock::now() - start;
    if (step >= kWarmUp) times.push_back(spent.count());
  }
  return times;
}

}  // namespace

int main(int count, char** words) {
  const std::string name = count == 6 ? words[1] : "";
  const bool known = name == "MobileNetV1" || name == "ResNet20" || name == "ResNet50";
  if (!known) {
    std::fprintf(stderr, "usage: %s MobileNetV1|ResNet20|ResNet50 BATCH IMAGE_SIZE THREADS STEPS\n",
                 words[0]);
    return 2;
  }
  torch::manual_seed(1);
  const Shape shape{std::stoll(words[2]), std::stoll(words[3])};
  torch::set_num_threads(std::stoi(words[4]));
  const int steps = std::stoi(words[5]);
  std::vector<double> times = name == "ResNet20"   ? time_steps(ResNet20(10), shape, steps)
                              : name == "ResNet50" ? time_steps(ResNet50(10), shape, steps)
                                                   : time_steps(MobileNetV1(10), shape, steps);
  std::sort(times.begin(), times.end());
  std::printf("{\"median_ms\": %.4f, \"p90_ms\": %.4f, \"peak_mib\": %.1f}\n",
              times[times.size() / 2], times[times.size() * 9 / 10], peak_mib());
  return 0;
}
