// Tests of opencl_drivers.h.
#include "device/opencl_drivers.h"

#include <gtest/gtest.h>

#include "base/test_folder.h"

namespace convoy {
namespace {

TEST(OpenclDrivers, are_told_apart_by_their_files) {
  const TestFolder folder;
  OpenclDrivers drivers = registered_opencl_drivers(folder.path());
  EXPECT_FALSE(drivers.pocl);
  EXPECT_FALSE(drivers.others);
  folder.write("pocl.icd", "/usr/lib/x86_64-linux-gnu/libpocl.so.2.10.0\n");
  folder.write("readme.txt", "libanything.so\n");
  drivers = registered_opencl_drivers(folder.path());
  EXPECT_TRUE(drivers.pocl);
  EXPECT_FALSE(drivers.others);
  folder.write("amdocl64.icd", "libamdocl64.so\n");
  EXPECT_TRUE(registered_opencl_drivers(folder.path()).others);
  EXPECT_FALSE(registered_opencl_drivers(folder.file("absent")).others);
}

TEST(OpenclDrivers, pocl_is_not_loaded_where_it_would_end_the_process) {
  const TestFolder folder;
  EXPECT_TRUE(may_load_pocl({true, true}, folder.path()));
  EXPECT_TRUE(may_load_pocl({false, true}, folder.file("absent")));
  const auto refused = may_load_pocl({true, true}, folder.file("absent"));
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find(folder.file("absent")), std::string::npos) << refused.error().message;
}

}  // namespace
}  // namespace convoy
