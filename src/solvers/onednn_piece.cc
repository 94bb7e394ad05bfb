// Describes tensors to oneDNN, lays out the workspace, and runs: conversions and reorders round one primitive.
#include "solvers/onednn_piece.h"

#include <algorithm>
#include <optional>

#include <dlfcn.h>

#include "solvers/convert.h"

#include <fmt/format.h>

namespace convoy {
namespace {

std::optional<dnnl::memory::data_type> onednn_type(Dtype dtype) {
  switch (dtype) {
    case Dtype::f32: return dnnl::memory::data_type::f32;
    case Dtype::f16: return dnnl::memory::data_type::f16;
    case Dtype::bf16: return dnnl::memory::data_type::bf16;
    case Dtype::i8: return dnnl::memory::data_type::s8;
    case Dtype::i32: return dnnl::memory::data_type::s32;
    case Dtype::f64: return std::nullopt;
  }
  return std::nullopt;
}

// The spatial numbers that oneDNN sees: the last `rank` of three.
dnnl::memory::dims spatial(const Spatial& values, int rank) {
  return {values.end() - rank, values.end()};
}

// Which tensor each of the piece's three slots is, by direction.
std::array<TensorRole, 3> slot_roles(Direction direction) {
  switch (direction) {
    case Direction::forward: return {TensorRole::x, TensorRole::w, TensorRole::y};
    case Direction::backward_data: return {TensorRole::w, TensorRole::y, TensorRole::x};
    case Direction::backward_weights: return {TensorRole::x, TensorRole::y, TensorRole::w};
  }
  return {};
}

struct TensorView {
  std::array<std::int64_t, 5> sizes, strides;
};

TensorView view_of(const Geometry& g, TensorRole role) {
  switch (role) {
    case TensorRole::x: return {{g.n, g.c * g.groups, g.in[0], g.in[1], g.in[2]}, g.x};
    case TensorRole::w: return {{g.k * g.groups, g.c, g.filter[0], g.filter[1], g.filter[2]}, g.w};
    case TensorRole::y: return {{g.n, g.k * g.groups, g.out[0], g.out[1], g.out[2]}, g.y};
  }
  return {};
}

// Sizes or strides of a tensor as oneDNN takes them: spatial dimensions stripped to the rank, the filter's
// first dimension split into groups where there are several.
dnnl::memory::dims onednn_dims(const std::array<std::int64_t, 5>& values, int rank) {
  dnnl::memory::dims dims{values[0], values[1]};
  dims.insert(dims.end(), values.end() - rank, values.end());
  return dims;
}

MemoryDesc describe_memory(const TensorView& view, dnnl::memory::data_type type, int rank, std::int64_t filter_groups) {
  dnnl::memory::dims sizes = onednn_dims(view.sizes, rank);
  dnnl::memory::dims strides = onednn_dims(view.strides, rank);
  if (filter_groups > 1) {
    sizes[0] /= filter_groups;
    strides.insert(strides.begin(), strides[0] * sizes[0]);
    sizes.insert(sizes.begin(), filter_groups);
  }
  return MemoryDesc(sizes, type, strides);
}

std::int64_t aligned(std::int64_t bytes) {
  return (bytes + 63) / 64 * 64;
}

// Groups so thin that im2col + GEMM is a matrix-vector product each: oneDNN 2.6 takes 15 s for a 3-D depthwise problem (64
// channels, 5x5x5, 17x44x80, bf16, two loaded cores of a Xeon with AMX) for which our reference takes 1.5 s.
bool thin_groups(const Geometry& g) {
  return g.groups > 1 && std::min(g.c, g.k) < 4;
}

// Padding on the far side such that oneDNN's size formula gives exactly `out`. Negative where the output was
// declared smaller than the formula (output padding of a transposed problem): oneDNN has no word for that.
dnnl::memory::dims far_padding(const Geometry& g, int rank) {
  Spatial far{};
  for (std::size_t i = 0; i < 3; ++i) {
    const std::int64_t reach = g.dilation[i] * (g.filter[i] - 1) + 1;
    const bool symmetric = (g.in[i] + 2 * g.pad[i] - reach) / g.stride[i] + 1 == g.out[i];
    far[i] = symmetric ? g.pad[i] : (g.out[i] - 1) * g.stride[i] + reach - g.in[i] - g.pad[i];
  }
  return spatial(far, rank);
}

Recipe recipe_of(const Geometry& g, int rank, std::array<MemoryDesc, 3> descs, dnnl::algorithm algorithm) {
  Recipe recipe{};
  recipe.algorithm = algorithm;
  const auto roles = slot_roles(g.direction);
  for (std::size_t i = 0; i < 3; ++i) {
    (roles[i] == TensorRole::x ? recipe.x : roles[i] == TensorRole::w ? recipe.w : recipe.y) = descs[i];
  }
  Spatial dilation = g.dilation;
  for (std::int64_t& value : dilation) --value;  // oneDNN counts the gaps
  recipe.stride = spatial(g.stride, rank);
  recipe.dilation = spatial(dilation, rank);
  recipe.pad_left = spatial(g.pad, rank);
  recipe.pad_right = far_padding(g, rank);
  return recipe;
}

// The functions of whichever OpenMP runtime oneDNN brought into the process (libgomp with Debian's; linking
// to one of our own choice could load a second). Null where oneDNN was built without OpenMP.
struct OpenMp {
  int (*max_threads)() = nullptr;
  void (*set_threads)(int) = nullptr;
};

const OpenMp& open_mp() {
  static const OpenMp functions = [] {
    OpenMp found;
    found.max_threads = reinterpret_cast<int (*)()>(dlsym(RTLD_DEFAULT, "omp_get_max_threads"));
    found.set_threads = reinterpret_cast<void (*)(int)>(dlsym(RTLD_DEFAULT, "omp_set_num_threads"));
    if (found.max_threads == nullptr) found.set_threads = nullptr;
    return found;
  }();
  return functions;
}

// Sets the size of the OpenMP team for this thread's calls and puts the host program's value back.
class TeamSize {
 public:
  explicit TeamSize(int threads) {
    if (threads <= 0 || open_mp().set_threads == nullptr) return;
    former_ = open_mp().max_threads();
    open_mp().set_threads(threads);
  }
  ~TeamSize() {
    if (former_ > 0) open_mp().set_threads(former_);
  }
  TeamSize(const TeamSize&) = delete;
  TeamSize& operator=(const TeamSize&) = delete;

 private:
  int former_ = 0;
};

// The C call takes an array where the C++ one builds a map on every call.
template <std::size_t Count>
void execute(const dnnl::primitive& primitive, const dnnl::stream& stream,
             const std::array<dnnl_exec_arg_t, Count>& arguments) {
  dnnl::error::wrap_c_api(
      dnnl_primitive_execute(primitive.get(), stream.get(), static_cast<int>(Count), arguments.data()),
      "could not run a primitive");
}

void execute_reorder(const dnnl::primitive& reorder, const dnnl::stream& stream, const dnnl::memory& from,
                     const dnnl::memory& to) {
  execute(reorder, stream, std::array<dnnl_exec_arg_t, 2>{{{DNNL_ARG_FROM, from.get()}, {DNNL_ARG_TO, to.get()}}});
}

}  // namespace

// The memory objects of one run, kept for the next: making them costs more than setting their addresses.
struct OnednnPiece::Execution {
  dnnl::stream stream{onednn_host_engine()};
  std::array<dnnl::memory, 3> plain, primitive;
  dnnl::memory scratchpad;
};

OnednnPiece::~OnednnPiece() = default;

void OnednnPiece::describe(const Geometry& g, const PieceOptions& options) {
  rank_ = options.rank;
  threads_ = options.threads;
  direction_ = g.direction;
  const auto roles = slot_roles(g.direction);
  for (std::size_t i = 0; i < 3; ++i) {
    const TensorView view = view_of(g, roles[i]);
    tensors_[i].sizes = view.sizes;
    tensors_[i].user_strides = view.strides;
    tensors_[i].user_dtype = i == 2 ? g.output_dtype : g.dtype;
  }
  Tensor& output = tensors_[2];
  output_elements_ = 1;
  for (const std::int64_t size : output.sizes) output_elements_ *= size;
  if (options.partial_sum) {
    output.user_strides = dense_strides(output.sizes, output.user_strides);
    output.user_dtype = g.dtype == Dtype::i8 ? Dtype::i32 : Dtype::f32;
  }
}

// Describes our side of every tensor, `staged` through float or as it is, and finds a primitive. Formats are
// tried in this order: the user's own for data with free weights (no reorder of the big tensors), then all
// free.
bool OnednnPiece::pick_primitive(const Geometry& g, const PieceOptions& options, bool staged) {
  const auto roles = slot_roles(g.direction);
  std::array<MemoryDesc, 3> own, mixed, free;
  for (std::size_t i = 0; i < 3; ++i) {
    Tensor& tensor = tensors_[i];
    tensor.staged = staged && tensor.user_dtype != Dtype::f32;
    tensor.stage_strides = dense_strides(tensor.sizes, tensor.user_strides);
    const auto type = onednn_type(tensor.staged ? Dtype::f32 : tensor.user_dtype);
    if (!type) return false;
    const bool filter = roles[i] == TensorRole::w;
    tensor.plain = describe_memory({tensor.sizes, tensor.staged ? tensor.stage_strides : tensor.user_strides}, *type,
                                   rank_, filter ? g.groups : 1);
    own[i] = tensor.plain;
    free[i] = any_format(tensor.plain, *type);
    mixed[i] = filter ? free[i] : own[i];
  }
  const auto input_type = *onednn_type(staged ? Dtype::f32 : g.dtype);
  const bool thin = thin_groups(g);
  const auto accept = [&](Algorithm algorithm) {
    if (thin && algorithm == Algorithm::gemm) return false;
    return contains(options.allowed, algorithm) && (options.any_algorithm || algorithm == options.algorithm);
  };
  // im2col + GEMM is what oneDNN falls back to when the data's format suits nothing better: no reason to save a reorder.
  const auto accept_in_place = [&](Algorithm algorithm) {
    return accept(algorithm) && (algorithm != Algorithm::gemm || !options.any_algorithm);
  };
  const bool winograd = !options.any_algorithm ? options.algorithm == Algorithm::winograd
                                               : options.allowed == static_cast<AlgorithmSet>(Algorithm::winograd);
  const auto algorithm = winograd ? dnnl::algorithm::convolution_winograd : dnnl::algorithm::convolution_direct;
  const auto attempt = [&](const std::array<MemoryDesc, 3>& descs, const auto& filter) {
    return find_primitive(recipe_of(g, rank_, descs, algorithm), g.direction, input_type, filter);
  };
  std::optional<Found> found = attempt(mixed, accept_in_place);
  if (!found) found = attempt(free, accept);
  if (!found) return false;
  convolution_ = found->primitive;
  scratchpad_ = found->scratchpad;
  algorithm_ = found->algorithm;
  implementation_ = found->implementation;
  for (std::size_t i = 0; i < 3; ++i) tensors_[i].primitive = found->formats[i];
  return true;
}

// Makes the reorders and lays out the workspace.
void OnednnPiece::finish() {
  std::int64_t end = 0;
  const auto book = [&end](std::int64_t bytes) {
    const std::int64_t offset = end;
    end += aligned(bytes);
    return offset;
  };
  for (std::size_t i = 0; i < 3; ++i) {
    Tensor& tensor = tensors_[i];
    if (tensor.staged) tensor.stage_offset = book(static_cast<std::int64_t>(tensor.plain.get_size()));
    tensor.reordered = tensor.plain != tensor.primitive;
    if (!tensor.reordered) continue;
    tensor.reorder_offset = book(static_cast<std::int64_t>(tensor.primitive.get_size()));
    const MemoryDesc& from = i == 2 ? tensor.primitive : tensor.plain;
    const MemoryDesc& to = i == 2 ? tensor.plain : tensor.primitive;
    tensor.reorder = dnnl::reorder(dnnl::reorder::primitive_desc(onednn_host_engine(), from, onednn_host_engine(), to));
  }
  scratchpad_offset_ = book(static_cast<std::int64_t>(scratchpad_.get_size()));
  workspace_bytes_ = end;
}

Result<std::unique_ptr<OnednnPiece>> OnednnPiece::create(const Geometry& geometry, const PieceOptions& options) {
  std::unique_ptr<OnednnPiece> piece(new OnednnPiece);
  // oneDNN divides the work, and sizes its scratchpad, for the team it sees now; it must not be larger when it runs.
  const TeamSize team(options.threads);
  try {
    piece->describe(geometry, options);
    const bool half = geometry.dtype == Dtype::f16 || geometry.dtype == Dtype::bf16;
    if (!piece->pick_primitive(geometry, options, false) && !(half && piece->pick_primitive(geometry, options, true))) {
      return fail(ErrorCode::unsupported, options.any_algorithm && options.allowed == k_all_algorithms
                                              ? "oneDNN has no implementation worth using for this problem"
                                              : "oneDNN has no implementation among the allowed algorithms");
    }
    piece->finish();
  } catch (const dnnl::error& error) {
    return fail(error.status == dnnl_out_of_memory ? ErrorCode::out_of_memory : ErrorCode::unsupported,
                fmt::format("oneDNN: {}", error.what()));
  }
  return piece;
}

std::vector<Algorithm> OnednnPiece::families(const Geometry& geometry, int rank, int threads) {
  std::vector<Algorithm> families;
  PieceOptions options;
  options.rank = rank;
  options.threads = threads;
  if (const auto best = create(geometry, options)) families.push_back((*best)->algorithm());
  options.any_algorithm = false;
  for (const Algorithm algorithm :
       {Algorithm::implicit_gemm, Algorithm::direct, Algorithm::winograd, Algorithm::gemm}) {
    if (families.empty() || families.front() == algorithm) continue;
    options.algorithm = algorithm;
    if (create(geometry, options)) families.push_back(algorithm);
  }
  return families;
}

std::unique_ptr<OnednnPiece::Execution> OnednnPiece::take_execution() const {
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      auto execution = std::move(idle_.back());
      idle_.pop_back();
      return execution;
    }
  }
  auto execution = std::make_unique<Execution>();
  for (std::size_t i = 0; i < 3; ++i) {
    execution->plain[i] = dnnl::memory(tensors_[i].plain, onednn_host_engine(), DNNL_MEMORY_NONE);
    execution->primitive[i] = tensors_[i].reordered
                                  ? dnnl::memory(tensors_[i].primitive, onednn_host_engine(), DNNL_MEMORY_NONE)
                                  : execution->plain[i];
  }
  execution->scratchpad = dnnl::memory(scratchpad_, onednn_host_engine(), DNNL_MEMORY_NONE);
  return execution;
}

void OnednnPiece::move_in(Execution& execution, std::size_t index, char* workspace) const {
  const Tensor& tensor = tensors_[index];
  if (tensor.staged) {
    void* user = execution.plain[index].get_data_handle();
    void* stage = workspace + tensor.stage_offset;
    convert_block(tensor.sizes, {user, tensor.user_dtype, tensor.user_strides},
                  {stage, Dtype::f32, tensor.stage_strides}, threads_);
    execution.plain[index].set_data_handle(stage);
  }
  if (tensor.reordered)
    execute_reorder(tensor.reorder, execution.stream, execution.plain[index], execution.primitive[index]);
}

Result<void> OnednnPiece::run(void* first, void* second, void* output, void* workspace) const {
  char* base = static_cast<char*>(workspace);
  const Tensor& out = tensors_[2];
  try {
    const TeamSize team(threads_);
    auto execution = take_execution();
    const std::array<void*, 3> users{first, second, output};
    for (std::size_t i = 0; i < 3; ++i) {
      execution->plain[i].set_data_handle(users[i]);
      if (tensors_[i].reordered) execution->primitive[i].set_data_handle(base + tensors_[i].reorder_offset);
    }
    if (scratchpad_.get_size() > 0) execution->scratchpad.set_data_handle(base + scratchpad_offset_);
    move_in(*execution, 0, base);
    move_in(*execution, 1, base);
    if (out.staged) execution->plain[2].set_data_handle(base + out.stage_offset);

    constexpr std::array<std::array<int, 3>, 3> k_arguments{{
        {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST},
        {DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_DST, DNNL_ARG_DIFF_SRC},
        {DNNL_ARG_SRC, DNNL_ARG_DIFF_DST, DNNL_ARG_DIFF_WEIGHTS},
    }};
    const auto& names = k_arguments[static_cast<std::size_t>(direction_)];
    const std::array<dnnl_exec_arg_t, 4> arguments{{
        {names[0], execution->primitive[0].get()},
        {names[1], execution->primitive[1].get()},
        {names[2], execution->primitive[2].get()},
        {DNNL_ARG_SCRATCHPAD, execution->scratchpad.get()},
    }};
    execute(convolution_, execution->stream, arguments);
    if (out.reordered) execute_reorder(out.reorder, execution->stream, execution->primitive[2], execution->plain[2]);
    execution->stream.wait();
    if (out.staged) {
      convert_block(out.sizes, {base + out.stage_offset, Dtype::f32, out.stage_strides},
                    {output, out.user_dtype, out.user_strides}, threads_);
    }
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(execution));
  } catch (const dnnl::error& error) {
    return fail(error.status == dnnl_out_of_memory ? ErrorCode::out_of_memory : ErrorCode::device,
                fmt::format("oneDNN: {}", error.what()));
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::out_of_memory, "the host has no memory left for oneDNN's objects");
  }
  return {};
}

}  // namespace convoy
