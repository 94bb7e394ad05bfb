// A reader of as much MessagePack (github.com/msgpack/msgpack/blob/master/spec.md) as compilers write into code objects.
#include "metadata.h"

#include <algorithm>
#include <map>

#include "bytes.h"

namespace convoy::amdgpu {
namespace {

constexpr int k_deepest = 32;

struct Value {
  uint64_t number = 0;  // integers and booleans; negative ones with their sign
  std::string text;
  std::vector<Value> list;
  std::map<std::string, Value> map;

  const Value& operator[](const char* key) const {
    static const Value nothing;
    const auto found = map.find(key);
    return found == map.end() ? nothing : found->second;
  }
  uint32_t word(const char* key) const { return static_cast<uint32_t>((*this)[key].number); }
};

class Reader {
 public:
  explicit Reader(Bytes bytes) : bytes_(bytes) {}

  Value value(int depth = 0) {
    if (depth > k_deepest) throw Fault("the code object's metadata is nested too deeply");
    const auto tag = static_cast<uint8_t>(number(1));
    Value result;
    if (tag < 0x80)
      result.number = tag;
    else if (tag >= 0xe0)
      result.number = sign_extended(tag, 1);
    else if (tag < 0x90)
      read_map(result, tag & 15, depth);
    else if (tag < 0xa0)
      read_list(result, tag & 15, depth);
    else if (tag < 0xc0)
      result.text = text(tag & 31);
    else
      read_tagged(result, tag, depth);
    return result;
  }

 private:
  void read_tagged(Value& result, uint8_t tag, int depth) {
    switch (tag) {
      case 0xc0: return;  // nil
      case 0xc2:
      case 0xc3: result.number = tag & 1; return;
      case 0xcc:
      case 0xcd:
      case 0xce:
      case 0xcf: result.number = number(1 << (tag - 0xcc)); return;
      case 0xd0:
      case 0xd1:
      case 0xd2:
      case 0xd3: {
        const int size = 1 << (tag - 0xd0);
        result.number = sign_extended(number(size), size);
        return;
      }
      case 0xd9:
      case 0xda:
      case 0xdb: result.text = text(number(1 << (tag - 0xd9))); return;
      case 0xdc:
      case 0xdd: return read_list(result, number(2 << (tag - 0xdc)), depth);
      case 0xde:
      case 0xdf: return read_map(result, number(2 << (tag - 0xde)), depth);
      default: throw Fault("the code object's metadata holds a value of an unknown kind");
    }
  }
  void read_list(Value& result, uint64_t count, int depth) {
    while (count--) result.list.push_back(value(depth + 1));
  }
  void read_map(Value& result, uint64_t count, int depth) {
    while (count--) {
      std::string key = value(depth + 1).text;
      result.map[std::move(key)] = value(depth + 1);
    }
  }
  uint64_t number(int size) {  // big-endian
    uint64_t result = 0;
    for (const uint8_t byte : bytes_.part(at_, static_cast<uint64_t>(size))) result = result << 8 | byte;
    at_ += static_cast<uint64_t>(size);
    return result;
  }
  static uint64_t sign_extended(uint64_t value, int size) {
    const int up = 64 - 8 * size;
    return static_cast<uint64_t>(static_cast<int64_t>(value << up) >> up);
  }
  std::string text(uint64_t size) {
    std::string result(bytes_.text(at_, size));
    at_ += size;
    return result;
  }

  Bytes bytes_;
  uint64_t at_ = 0;
};

KernelMetadata kernel_of(const Value& value) {
  KernelMetadata result;
  Kernel& k = result.kernel;
  result.descriptor = value[".symbol"].text;
  k.name = value[".name"].text;
  k.vgprs = value.word(".vgpr_count");
  k.sgprs = value.word(".sgpr_count");
  k.vgpr_spills = value.word(".vgpr_spill_count");
  k.sgpr_spills = value.word(".sgpr_spill_count");
  k.max_group_size = value.word(".max_flat_workgroup_size");
  k.argument_bytes = value.word(".kernarg_segment_size");
  for (const Value& one : value[".args"].list) {
    Argument argument{one.word(".offset"), one.word(".size"), one[".value_kind"].text};
    if (argument.kind.starts_with("hidden_")) k.hidden_begin = std::min(k.hidden_begin, argument.offset);
    k.arguments.push_back(std::move(argument));
  }
  return result;
}

}  // namespace

std::vector<KernelMetadata> read_metadata(std::span<const uint8_t> note) {
  const Value root = Reader(Bytes(note, "the code object's metadata")).value();
  std::vector<KernelMetadata> kernels;
  for (const Value& kernel : root["amdhsa.kernels"].list) kernels.push_back(kernel_of(kernel));
  return kernels;
}

}  // namespace convoy::amdgpu
