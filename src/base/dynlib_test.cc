// Libraries by plain name or absolute path, and what is said where there is none. libm stands for any library.
#include "base/dynlib.h"

#include <gtest/gtest.h>

#include <array>

#include "base/test_folder.h"

namespace convoy {
namespace {

TEST(DynamicLibrary, a_symbol_is_bound_or_named) {
  const auto library = DynamicLibrary::open("libm.so.6");
  ASSERT_TRUE(library) << library.error().message;
  double (*cosine)(double) = nullptr;
  ASSERT_TRUE(library->bind(cosine, "cos"));
  EXPECT_EQ(cosine(0), 1);
  const auto missing = library->bind(cosine, "cos_of_another_library");
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().message.find("libm.so.6"), std::string::npos) << missing.error().message;
  EXPECT_NE(missing.error().message.find("cos_of_another_library"), std::string::npos) << missing.error().message;
}

// Never what lies in the folder that happens to be current.
TEST(DynamicLibrary, relative_paths_are_refused) {
  for (const char* name : {"", "./libm.so.6", "lib/libm.so.6", "../libm.so.6"}) {
    const auto library = DynamicLibrary::open(name);
    ASSERT_FALSE(library) << name;
    EXPECT_EQ(library.error().code, ErrorCode::invalid_argument) << name;
  }
}

TEST(DynamicLibrary, what_is_no_library_is_named) {
  const TestFolder folder;
  const std::string path = folder.write("libtext.so", "not a library");
  for (const std::string& name : {path, folder.file("libabsent.so"), std::string("libconvoy_absent.so.1")}) {
    const auto library = DynamicLibrary::open(name);
    ASSERT_FALSE(library) << name;
    EXPECT_NE(library.error().message.find(name), std::string::npos) << library.error().message;
  }
}

TEST(DynamicLibrary, the_first_that_opens_and_none_that_is_to_be_avoided) {
  constexpr std::array<std::string_view, 2> k_names{"libconvoy_absent.so.1", "libm.so.6"};
  const auto library = DynamicLibrary::open_first(k_names);
  ASSERT_TRUE(library) << library.error().message;
  EXPECT_EQ(library->name(), "libm.so.6");
  const auto other = DynamicLibrary::open_first(std::span(k_names).subspan(1), &*library);
  ASSERT_FALSE(other);
  EXPECT_NE(other.error().message.find("libm.so.6"), std::string::npos) << other.error().message;
  const auto none = DynamicLibrary::open_first(std::span(k_names).first(1));
  ASSERT_FALSE(none);
  EXPECT_NE(none.error().message.find("libconvoy_absent.so.1"), std::string::npos) << none.error().message;
}

TEST(DynamicLibrary, loaded_libraries_are_known_by_the_beginning_of_their_names) {
  EXPECT_TRUE(DynamicLibrary::is_loaded("libc.so"));
  EXPECT_FALSE(DynamicLibrary::is_loaded("ibc.so"));
  EXPECT_FALSE(DynamicLibrary::is_loaded("libconvoy_absent"));
}

// libc is loaded, the first name is not, though it would open.
TEST(DynamicLibrary, what_is_loaded_comes_first) {
  constexpr std::array<std::string_view, 2> k_names{"libBrokenLocale.so.1", "libc.so.6"};
  if (!DynamicLibrary::open_first(std::span(k_names).subspan(1))) GTEST_SKIP() << "no libc.so.6 here";
  const auto library = DynamicLibrary::open_first(k_names);
  ASSERT_TRUE(library) << library.error().message;
  EXPECT_EQ(library->name(), "libc.so.6");
}

TEST(DynamicLibrary, a_preferred_file_stands_for_all_names_of_its_stem_and_what_is_opened_is_known) {
  const auto any = DynamicLibrary::open("libm.so.6");
  ASSERT_TRUE(any) << any.error().message;
  ASSERT_EQ(any->file().front(), '/') << any->file();
  constexpr std::array<std::string_view, 1> k_names{"libconvoy_preferred.so.7"};
  ASSERT_FALSE(DynamicLibrary::open_first(k_names));
  EXPECT_FALSE(DynamicLibrary::opened().contains("libconvoy_preferred.so"));
  DynamicLibrary::prefer("libconvoy_preferred.so", any->file());
  const auto library = DynamicLibrary::open_first(k_names);
  ASSERT_TRUE(library) << library.error().message;
  EXPECT_EQ(library->file(), any->file());
  EXPECT_EQ(DynamicLibrary::opened()["libconvoy_preferred.so"], any->file());
}

TEST(DynamicLibrary, only_what_is_loaded) {
  constexpr std::array<std::string_view, 2> k_names{"libBrokenLocale.so.1", "libc.so.6"};
  const auto library = DynamicLibrary::open_loaded(k_names);
  ASSERT_TRUE(library) << library.error().message;
  EXPECT_EQ(library->name(), "libc.so.6");
  const auto none = DynamicLibrary::open_loaded(std::span(k_names).first(1));
  ASSERT_FALSE(none);
  EXPECT_NE(none.error().message.find("libBrokenLocale.so.1 is not loaded"), std::string::npos) << none.error().message;
}

}  // namespace
}  // namespace convoy
