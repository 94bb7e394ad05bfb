// From the command line to the workers: opens MIOpen where the client does so itself, forks the data loaders, starts a
// thread for each seat. With one seat everything happens in the calling thread, as in a script.
#include "client_main.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdio>
#include <thread>

#include "data_loaders.h"
#include "worker.h"

namespace convoy::client {
namespace {

int run_seats(const Options& options, const Api& api, DataLoaders& loaders) {
  std::vector<Seat> seats;
  for (int device = 0; device < options.devices; ++device)
    for (int thread = 0; thread < options.threads; ++thread)
      seats.push_back({options.client.device + device, thread, {}});
  if (options.fork) seats.front().after_first_use = [&] { loaders.start(2); };
  std::vector<int> results(seats.size());
  if (!options.parallel()) return run_worker(options, api, seats.front());
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < seats.size(); ++i)
    threads.emplace_back([&, i] { results[i] = run_worker(options, api, seats[i]); });
  for (std::thread& thread : threads) thread.join();
  return *std::max_element(results.begin(), results.end());
}

int run(const Options& options) {
  DataLoaders loaders;
  if (options.fork) loaders.start(2);
  void* library = nullptr;
  Api api{};
  if (options.by_dlopen) {
    library = dlopen("libMIOpen.so.1", RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) throw std::runtime_error(dlerror());
    api = loaded_api(library);
  } else {
    api = linked_api();
  }
  int result = run_seats(options, api, loaders);
  if (!loaders.finish()) {
    std::fprintf(stderr, "miopen_client: a data loader crashed or hung\n");
    result = std::max(result, k_wrong_numbers);
  }
  if (options.unload && library != nullptr && dlclose(library) != 0) throw std::runtime_error(dlerror());
  return result;
}

}  // namespace
}  // namespace convoy::client

int miopen_client_main(int count, char** arguments) {
  using namespace convoy::client;
  try {
    const auto parsed = parse_options(count, arguments);
    if (const auto* sentence = std::get_if<std::string>(&parsed)) {
      std::fprintf(stderr, "miopen_client: %s\n%s", sentence->c_str(), k_usage);
      return k_bad_usage;
    }
    return run(std::get<Options>(parsed));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "miopen_client: %s\n", error.what());
    return k_framework_threw;
  }
}
