// ROCm installs, libraries and MIOpen's databases, in the places and with the names that packages and wheels give them.
#include <gtest/gtest.h>

#include <algorithm>

#include "device/detect.h"
#include "device/test_library.h"
#include "device/test_tree.h"

namespace convoy {
namespace {

using Names = std::vector<std::string>;

const DetectedLibrary* library_at(const Detection& found, const std::string& path) {
  const auto at = std::ranges::find(found.libraries, path, &DetectedLibrary::path);
  return at == found.libraries.end() ? nullptr : &*at;
}

// As AMD's packages of ROCm 6.2 lay it out.
void add_rocm(const TestTree& tree) {
  tree.write("opt/rocm-6.2.0/.info/version", "6.2.0-66\n");
  tree.link("/etc/alternatives/rocm", "opt/rocm");
  tree.link("/opt/rocm-6.2.0", "etc/alternatives/rocm");
  tree.write("opt/rocm-6.2.0/lib/libMIOpen.so.1.0.60200", test_library("libMIOpen.so.1"));
  tree.link("libMIOpen.so.1.0.60200", "opt/rocm-6.2.0/lib/libMIOpen.so.1");
  tree.link("libMIOpen.so.1", "opt/rocm-6.2.0/lib/libMIOpen.so");
  tree.write("opt/rocm-6.2.0/lib/libamdhip64.so.6.2.41133", test_library("libamdhip64.so.6"));
  tree.link("libamdhip64.so.6.2.41133", "opt/rocm-6.2.0/lib/libamdhip64.so.6");
  for (const char* name : {"gfx1030.kdb", "gfx1030_36.HIP.fdb.txt", "gfx1030_36.db.txt", "gfx90a.kdb",
                           "gfx90a68.HIP.fdb.txt", "gfx90a6e.HIP.fdb.txt", "gfx90a68.db.txt", "readme"})
    tree.write(fmt::format("opt/rocm-6.2.0/share/miopen/db/{}", name), "");
}

TEST(DetectLibraries, of_a_rocm_install) {
  const TestTree tree;
  add_rocm(tree);
  const Detection found = detect(tree.root(), {});
  ASSERT_EQ(found.rocm.size(), 1U) << "/opt/rocm is a link to the same";
  EXPECT_EQ(found.rocm[0].path, "/opt/rocm-6.2.0");
  EXPECT_EQ(found.rocm[0].version, "6.2.0-66");
  ASSERT_EQ(found.libraries.size(), 2U);
  const DetectedLibrary& miopen = found.libraries[0];
  EXPECT_EQ(miopen.name, "libMIOpen");
  EXPECT_EQ(miopen.path, "/opt/rocm-6.2.0/lib/libMIOpen.so.1.0.60200");
  EXPECT_EQ(miopen.soname, "libMIOpen.so.1");
  EXPECT_EQ(miopen.version, "1.0.60200");
  EXPECT_EQ(miopen.size, test_library("libMIOpen.so.1").size());
  EXPECT_STREQ(name_of(miopen.origin), "rocm");
  EXPECT_EQ(miopen.database_folder, "/opt/rocm-6.2.0/share/miopen/db");
  EXPECT_EQ(miopen.database_files.size(), 7U) << "not the readme";
  EXPECT_FALSE(miopen.embedded_databases);
  EXPECT_EQ(found.libraries[1].name, "libamdhip64");
  EXPECT_EQ(found.libraries[1].version, "6.2.41133");
  EXPECT_TRUE(found.notes.empty()) << found.notes[0].path << ": " << found.notes[0].text;
}

TEST(DetectLibraries, databases_for_a_card) {
  const TestTree tree;
  add_rocm(tree);
  const Detection found = detect(tree.root(), {});
  const DetectedLibrary* miopen = library_at(found, "/opt/rocm-6.2.0/lib/libMIOpen.so.1.0.60200");
  ASSERT_NE(miopen, nullptr);
  // HIP counts 36 pairs of an RX 6800 XT's 72 units.
  DatabaseFiles files = databases_for(*miopen, "gfx1030", 72);
  EXPECT_EQ(files.kernels, Names{"gfx1030.kdb"});
  EXPECT_EQ(files.finds, Names{"gfx1030_36.HIP.fdb.txt"});
  EXPECT_EQ(files.tunings, Names{"gfx1030_36.db.txt"});
  EXPECT_TRUE(files.relatives.empty());
  // An RX 5600 XT that passes for gfx1030 asks for gfx1030_18.
  files = databases_for(*miopen, "gfx1030", 36);
  EXPECT_EQ(files.kernels, Names{"gfx1030.kdb"});
  EXPECT_TRUE(files.finds.empty());
  EXPECT_EQ(files.relatives, (Names{"gfx1030_36.HIP.fdb.txt", "gfx1030_36.db.txt"}));
  // An MI210 has 104 units, 0x68; an MI250 has 110.
  files = databases_for(*miopen, "gfx90a", 104);
  EXPECT_EQ(files.kernels, Names{"gfx90a.kdb"});
  EXPECT_EQ(files.finds, Names{"gfx90a68.HIP.fdb.txt"});
  EXPECT_EQ(files.tunings, Names{"gfx90a68.db.txt"});
  EXPECT_EQ(files.relatives, Names{"gfx90a6e.HIP.fdb.txt"});
  files = databases_for(*miopen, "gfx1010", 36);
  EXPECT_TRUE(files.kernels.empty() && files.finds.empty() && files.tunings.empty() && files.relatives.empty());
  files = databases_for(*miopen, "", 36);
  EXPECT_TRUE(files.kernels.empty() && files.relatives.empty());
}

TEST(DetectLibraries, of_wheels) {
  const TestTree tree;
  const std::string site = "home/u/venv/lib/python3.12/site-packages/";
  tree.write(site + "torch/lib/libMIOpen.so", test_library("libMIOpen.so.1"));
  tree.write(site + "torch/share/miopen/db/gfx1030.kdb", "");
  tree.write(site + "_rocm_sdk_core/lib/libamdhip64.so.7", test_library("libamdhip64.so.7"));
  tree.write(site + "numpy/libMIOpen.so", test_library("libMIOpen.so.1"));
  const Detection found =
      detect(tree.root(), {.site_packages = {"/home/u/venv/lib/python3.12/site-packages", "/absent"}});
  ASSERT_EQ(found.libraries.size(), 2U) << "not numpy's";
  EXPECT_EQ(found.libraries[0].path, "/" + site + "_rocm_sdk_core/lib/libamdhip64.so.7");
  EXPECT_EQ(found.libraries[0].version, "7");
  EXPECT_EQ(found.libraries[1].path, "/" + site + "torch/lib/libMIOpen.so");
  EXPECT_EQ(found.libraries[1].version, "1") << "from the soname";
  EXPECT_STREQ(name_of(found.libraries[1].origin), "wheel");
  EXPECT_EQ(found.libraries[1].database_files, Names{"gfx1030.kdb"});
}

TEST(DetectLibraries, with_databases_inside) {
  const TestTree tree;
  tree.write("w/torch/lib/libMIOpen.so", test_library("libMIOpen.so.1", "file:ignoredFilename?ptr=0x%p&sz=%lld"));
  tree.write("v/torch/lib/libMIOpen.so", test_library("libMIOpen.so.1", "nothing of the kind"));
  const Detection found = detect(tree.root(), {.site_packages = {"/w", "/v"}});
  ASSERT_EQ(found.libraries.size(), 2U);
  EXPECT_FALSE(found.libraries[0].embedded_databases);
  EXPECT_TRUE(found.libraries[1].embedded_databases);
  EXPECT_EQ(found.libraries[1].database_folder, "");
}

TEST(DetectLibraries, of_the_distribution_of_conda_and_of_old_rocm) {
  const TestTree tree;
  tree.write("usr/lib/x86_64-linux-gnu/libMIOpen.so.1.0", test_library("libMIOpen.so.1"));
  tree.write("usr/share/miopen/db/gfx1030_36.kdb", "");
  tree.write("usr/share/miopen/db/miopen.db", "");
  tree.write("opt/conda/lib/libamdhip64.so.6", test_library("libamdhip64.so.6"));
  tree.write("opt/conda/lib/python3.11/site-packages/torch/lib/libMIOpen.so", test_library("libMIOpen.so.1"));
  tree.write("opt/rocm-5.1.1/miopen/lib/libMIOpen.so.1.0.50101", test_library("libMIOpen.so.1"));
  tree.write("opt/rocm-5.1.1/miopen/share/miopen/db/gfx1030_36.kdb", "");
  const Detection found = detect(tree.root(), {.conda_prefixes = {"/opt/conda"}});
  ASSERT_EQ(found.libraries.size(), 4U);
  EXPECT_STREQ(name_of(found.libraries[0].origin), "conda");
  EXPECT_STREQ(name_of(found.libraries[1].origin), "wheel");
  EXPECT_EQ(found.libraries[2].database_folder, "/opt/rocm-5.1.1/miopen/share/miopen/db");
  EXPECT_STREQ(name_of(found.libraries[3].origin), "system");
  EXPECT_EQ(found.libraries[3].database_folder, "/usr/share/miopen/db");
  EXPECT_EQ(databases_for(found.libraries[3], "gfx1030", 72).kernels, Names{"gfx1030_36.kdb"});
  EXPECT_EQ(databases_for(found.libraries[3], "gfx1030", 72).tunings, Names{"miopen.db"});
}

TEST(DetectLibraries, among_very_many_files) {
  const TestTree tree;
  for (int number = 0; number < 5000; ++number) tree.write(fmt::format("usr/lib64/liba{}.so", number), "");
  tree.write("usr/lib64/libamdhip64.so.6", test_library("libamdhip64.so.6"));
  const Detection found = detect(tree.root(), {});
  EXPECT_EQ(found.libraries.size(), 1U);
  EXPECT_TRUE(found.notes.empty());
}

TEST(DetectLibraries, that_are_none) {
  const TestTree tree;
  tree.write("opt/rocm/.info/version", "6.0.0\x1b[2J\nmore\n");
  tree.link("libMIOpen.so.1", "opt/rocm/lib/libMIOpen.so");
  tree.write("opt/rocm/lib/libMIOpen.so.2", "GROUP ( libMIOpen.so.1 )\n");
  tree.link("libamdhip64.so", "opt/rocm/lib/libamdhip64.so");
  std::filesystem::create_directories(tree.file("opt/rocm/lib/libamdhip64.so.6"));
  tree.write("opt/rocm-is-a-file", "");
  const Detection found = detect(tree.root(), {});
  ASSERT_EQ(found.rocm.size(), 1U);
  EXPECT_EQ(found.rocm[0].version, "6.0.0?[2J");
  EXPECT_TRUE(found.libraries.empty());
  for (const char* name : {"libMIOpen.so", "libMIOpen.so.2", "libamdhip64.so", "libamdhip64.so.6"}) {
    const auto noted = [&](const DetectNote& note) { return note.path == std::string("/opt/rocm/lib/") + name; };
    EXPECT_TRUE(std::ranges::any_of(found.notes, noted)) << name;
  }
}

}  // namespace
}  // namespace convoy
