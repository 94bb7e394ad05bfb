// Facts from ELF files: a real library of this machine, made ones, and every way to be broken.
#include "device/elf_file.h"

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <random>

#include "base/test_folder.h"
#include "device/test_library.h"

namespace convoy {
namespace {

TEST(ElfFile, a_library_of_this_machine) {
  void* const library = ::dlopen("libzstd.so.1", RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(library, nullptr) << ::dlerror();
  Dl_info info{};
  ASSERT_NE(::dladdr(::dlsym(library, "ZSTD_versionNumber"), &info), 0);
  const std::string path = std::filesystem::canonical(info.dli_fname).string();
  const auto facts = read_elf(path);
  ASSERT_TRUE(facts) << facts.error().message;
  EXPECT_EQ(facts->soname, "libzstd.so.1");
  EXPECT_EQ(facts->size, std::filesystem::file_size(path));
  EXPECT_TRUE(elf_constants_contain(path, "Allocation error : not enough memory")) << "a message of ZSTD_getErrorName";
  EXPECT_FALSE(elf_constants_contain(path, "file:ignoredFilename?ptr="));
  ::dlclose(library);
}

TEST(ElfFile, constants_are_found_across_pieces) {
  const TestFolder folder;
  for (const std::size_t before : {0U, 1U, (1U << 20) - 8U, (1U << 20) - 1U, 1U << 20}) {
    const std::string path = folder.write("lib.so", test_library("libx.so.1", std::string(before, 'x') + "the marker"));
    EXPECT_TRUE(elf_constants_contain(path, "the marker")) << before;
    EXPECT_FALSE(elf_constants_contain(path, "the markers")) << before;
    EXPECT_FALSE(elf_constants_contain(path, "libx.so.1")) << "stands in another section";
  }
}

TEST(ElfFile, what_is_no_library_is_an_error) {
  const TestFolder folder;
  const std::string good = test_library("libx.so.1");
  std::string other_class = good, other_type = good;
  other_class[EI_CLASS] = ELFCLASS32;
  other_type[16] = ET_EXEC;
  for (const std::string& content :
       {std::string(),
        std::string("\x7f"
                    "ELF"),
        std::string("INPUT(libx.so.1)\n"), std::string(4096, '\0'), other_class, other_type})
    EXPECT_FALSE(read_elf(folder.write("lib.so", content))) << content.size();
  EXPECT_FALSE(read_elf(folder.path()));
  EXPECT_FALSE(read_elf(folder.file("absent")));
  std::filesystem::create_symlink(folder.write("good.so", good), folder.file("link.so"));
  EXPECT_FALSE(read_elf(folder.file("link.so"))) << "links are the caller's affair";
}

TEST(ElfFile, truncated_anywhere) {
  const TestFolder folder;
  const std::string good = test_library("libx.so.1", "the marker");
  for (std::size_t size = 0; size < good.size(); ++size) {
    const std::string path = folder.write("lib.so", good.substr(0, size));
    const auto facts = read_elf(path);
    EXPECT_TRUE(!facts || std::string("libx.so.1").starts_with(facts->soname)) << size;
    EXPECT_FALSE(elf_constants_contain(path, "the marker")) << size;
  }
}

TEST(ElfFile, random_bytes_in_its_tables) {
  constexpr unsigned k_seed = 20261121;
  SCOPED_TRACE(k_seed);
  std::mt19937_64 random(k_seed);
  const TestFolder folder;
  const std::string good = test_library("libx.so.1", "the marker");
  for (int round = 0; round < 500; ++round) {
    std::string bad = good;
    for (int change = 0; change < 4; ++change) bad[16 + random() % (bad.size() - 16)] = static_cast<char>(random());
    const std::string path = folder.write("lib.so", bad);
    const auto facts = read_elf(path);
    EXPECT_TRUE(!facts || facts->soname.size() <= 128);
    elf_constants_contain(path, "the marker");
  }
}

}  // namespace
}  // namespace convoy
