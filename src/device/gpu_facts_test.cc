// What GPUs and the kernel say, taken with care: over a runtime that answers what each test wants.
#include "device/gpu_facts.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstring>
#include <functional>
#include <map>

#include "base/test_folder.h"

namespace convoy {
namespace {

// The table has plain function pointers, so what they answer stands here.
struct Answers {
  std::function<void(char*)> properties = nullptr;
  std::map<int, int> attributes = {};
  std::string name = "";
};
Answers g_answers;

GpuApi api_of(DeviceKind kind, Answers answers) {
  g_answers = std::move(answers);
  GpuApi api;
  api.kind = kind;
  api.hip_properties = [](void* properties, int) {
    g_answers.properties(static_cast<char*>(properties));
    return 0;
  };
  api.device_attribute = [](int* value, int attribute, int) {
    const auto found = g_answers.attributes.find(attribute);
    if (found == g_answers.attributes.end()) return 1;
    *value = found->second;
    return 0;
  };
  api.device_name = [](char* name, int bytes, int) {
    std::strncpy(name, g_answers.name.c_str(), static_cast<std::size_t>(bytes));
    return 0;
  };
  return api;
}

// ROCm 5 has the text at byte 396, ROCm 6 and 7 at 1160: offsetof(hipDeviceProp_t, gcnArchName) of their headers.
TEST(GpuFacts, the_architecture_is_found_in_either_layout) {
  for (const int offset : {396, 1160}) {
    const GpuApi api = api_of(DeviceKind::hip, {.properties = [offset](char* all) {
                                std::strcpy(all, "a card called gfx1");
                                std::strcpy(all + offset, "gfx906:sramecc+:xnack-");
                              }});
    const auto architecture = architecture_of(api, 0);
    ASSERT_TRUE(architecture) << architecture.error().message;
    EXPECT_EQ(*architecture, "gfx906:sramecc+:xnack-");
  }
}

TEST(GpuFacts, properties_without_an_architecture_are_an_error) {
  for (const std::string& text : {std::string(), std::string(4096, '\xff'), std::string(400, 'x') + "gfx"}) {
    const GpuApi api =
        api_of(DeviceKind::hip, {.properties = [&](char* all) { std::memcpy(all, text.data(), text.size()); }});
    EXPECT_FALSE(architecture_of(api, 0));
  }
}

TEST(GpuFacts, compute_capabilities) {
  EXPECT_EQ(architecture_of(api_of(DeviceKind::cuda, {.attributes = {{75, 9}, {76, 0}}}), 0).value(), "sm_90");
  EXPECT_EQ(architecture_of(api_of(DeviceKind::cuda, {.attributes = {{75, 12}, {76, 1}}}), 0).value(), "sm_121");
  EXPECT_FALSE(architecture_of(api_of(DeviceKind::cuda, {.attributes = {{75, -1}, {76, -1}}}), 0));
  EXPECT_FALSE(architecture_of(api_of(DeviceKind::cuda, {}), 0));
}

TEST(GpuFacts, names_are_made_printable) {
  EXPECT_EQ(model_of(api_of(DeviceKind::hip, {.name = "AMD \xc3\xa9\n"}), 0), "AMD ???");
  EXPECT_EQ(model_of(api_of(DeviceKind::hip, {.name = std::string(1000, 'x')}), 0), std::string(128, 'x'));
}

TEST(GpuFacts, attributes_out_of_range_are_none) {
  const GpuApi api = api_of(DeviceKind::hip, {.attributes = {{1, 64}, {2, -5}, {3, 0x7fffffff}}});
  EXPECT_EQ(attribute_of(api, 1, 0), 64);
  EXPECT_EQ(attribute_of(api, 2, 0), 0);
  EXPECT_EQ(attribute_of(api, 3, 0), 0);
  EXPECT_EQ(attribute_of(api, 4, 0), 0);
}

// Sets a variable for one test.
class Override {
 public:
  explicit Override(const char* value) { setenv("HSA_OVERRIDE_GFX_VERSION", value, 1); }
  ~Override() { unsetenv("HSA_OVERRIDE_GFX_VERSION"); }
  Override(const Override&) = delete;
  Override& operator=(const Override&) = delete;
};

// As on a machine whose two cards are an RX 5600 XT (gfx1010, bus 3) and an RX 6700 XT (gfx1031, bus 0x2f).
TEST(GpuFacts, an_override_is_seen_by_the_cards_place) {
  const TestFolder folder;
  folder.write("0/properties", "cpu_cores_count 16\ngfx_target_version 0\nlocation_id 0\ndomain 0\n");
  folder.write("1/properties", "simd_count 72\ngfx_target_version 100100\nlocation_id 768\ndomain 0\n");
  folder.write("2/properties", "simd_count 80\ngfx_target_version 100301\nlocation_id 12032\ndomain 0\n");
  const auto at_bus = [](int bus) { return api_of(DeviceKind::hip, {.attributes = {{67, bus}, {68, 0}, {69, 0}}}); };
  EXPECT_EQ(real_architecture_of(at_bus(3), 0, "gfx1030", folder.path()), "") << "without the variable";
  const Override override("10.3.0");
  EXPECT_EQ(real_architecture_of(at_bus(3), 0, "gfx1030", folder.path()), "gfx1010");
  EXPECT_EQ(real_architecture_of(at_bus(0x2f), 0, "gfx1030", folder.path()), "gfx1031");
  EXPECT_EQ(real_architecture_of(at_bus(0x2f), 0, "gfx1031:xnack-", folder.path()), "") << "the same";
  EXPECT_EQ(real_architecture_of(at_bus(7), 0, "gfx1030", folder.path()), "") << "no such card";
  EXPECT_EQ(real_architecture_of(at_bus(3), 0, "gfx1030", folder.path() + "/none"), "");
}

TEST(GpuFacts, numbers_on_the_bus) {
  const TestFolder folder;
  folder.write("0000:03:00.0/vendor", "0x1002\n");
  folder.write("0000:03:00.0/device", "0x731f\n");
  folder.write("0000:04:00.0/vendor", "0x1002\n");
  folder.write("0000:00:00.0/vendor", "0x8086\n");
  folder.write("0000:00:00.0/device", "0x1234\n");
  const auto at_bus = [](int bus) { return api_of(DeviceKind::hip, {.attributes = {{67, bus}, {68, 0}, {69, 0}}}); };
  EXPECT_EQ(pci_id_of(at_bus(3), 0, folder.path()), "1002:731f");
  EXPECT_EQ(pci_id_of(at_bus(4), 0, folder.path()), "") << "half of it";
  EXPECT_EQ(pci_id_of(at_bus(5), 0, folder.path()), "") << "no such card";
  EXPECT_EQ(pci_id_of(at_bus(0), 0, folder.path()), "") << "a runtime that does not say";
}

}  // namespace
}  // namespace convoy
