# What C++ programs get of the door: the header, the target convoy::torch, their test. Included by CMakeLists.txt, whose variables
# it uses.
set_target_properties(convoy_torch PROPERTIES EXPORT_NAME torch)
target_compile_features(convoy_torch INTERFACE cxx_std_17)
target_include_directories(convoy_torch INTERFACE
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
install(FILES ${PROJECT_SOURCE_DIR}/include/convoy/torch.h ${PROJECT_SOURCE_DIR}/include/convoy/torch_c.h
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/convoy)
# convoy-config.cmake includes it where it is. PyTorch's own targets are the user's to find: which of its builds, only he knows.
install(EXPORT convoy_torch_targets NAMESPACE convoy:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/convoy)

# PyTorch's C++ interface may be missing. Where PyTorch has the old ABI of std::string, the system's GoogleTest does not fit.
find_file(torch_cpp_header torch/nn.h PATHS ${torch_includes} NO_DEFAULT_PATH NO_CACHE)
find_file(torch_cpp_library libtorch.so PATHS ${torch_libraries} NO_DEFAULT_PATH NO_CACHE)
if(CONVOY_BUILD_TESTS AND torch_cpp_header AND torch_cpp_library AND torch_abi)
  add_executable(torch_cpp_test tests/torch_cpp_test.cc)
  target_include_directories(torch_cpp_test SYSTEM PRIVATE ${torch_includes})
  target_compile_definitions(torch_cpp_test PRIVATE _GLIBCXX_USE_CXX11_ABI=${torch_abi})
  target_link_libraries(torch_cpp_test PRIVATE convoy_torch convoy_warnings GTest::gtest_main nlohmann_json::nlohmann_json
    ${torch_cpp_library} ${torch_libraries}/libtorch_cpu.so ${torch_libraries}/libc10.so)
  add_test(NAME torch_cpp COMMAND torch_cpp_test)
  set_tests_properties(torch_cpp PROPERTIES TIMEOUT 300)
endif()
