// For tests: a device that passes everything on to another one, to be overridden where a test wants it to misbehave; and the
// host's memory behind a device that says the host cannot reach it, as a GPU's.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "device/device.h"

namespace convoy {

class ForwardingDevice : public Device {
 public:
  explicit ForwardingDevice(std::unique_ptr<Device> device) : device_(std::move(device)) {}

  const DeviceInfo& info() const override { return device_->info(); }
  std::int64_t memory_available() const override { return device_->memory_available(); }
  Result<DeviceBuffer> allocate(std::int64_t bytes) override { return device_->allocate(bytes); }
  void release(void* data, std::int64_t bytes) override { device_->release(data, bytes); }
  bool host_accessible() const override { return device_->host_accessible(); }
  Result<void> upload(void* to, const void* from, std::int64_t bytes, Stream stream) override {
    return device_->upload(to, from, bytes, stream);
  }
  Result<void> download(void* to, const void* from, std::int64_t bytes, Stream stream) override {
    return device_->download(to, from, bytes, stream);
  }
  Result<void> fill(void* data, unsigned char value, std::int64_t bytes, Stream stream) override {
    return device_->fill(data, value, bytes, stream);
  }
  Result<void> synchronize(Stream stream) override { return device_->synchronize(stream); }
  Result<double> measure(Stream stream, const std::function<Result<void>()>& work) override {
    return device_->measure(stream, work);
  }
  bool is_capturing(Stream stream) const override { return device_->is_capturing(stream); }
  Result<void> health() const override { return device_->health(); }
  Result<std::string> compile(const ProgramSource& source) override { return device_->compile(source); }
  std::string compiler_key() const override { return device_->compiler_key(); }
  Result<std::unique_ptr<Program>> load(std::string_view binary) override { return device_->load(binary); }

 protected:
  Device& target() const { return *device_; }

 private:
  std::unique_ptr<Device> device_;
};

// Looks like a GPU without kernels: only the cpu and reference tiers serve it.
class RemoteDevice : public ForwardingDevice {
 public:
  RemoteDevice() : ForwardingDevice(make_cpu_device()), info_(target().info()) {
    info_.kind = DeviceKind::hip;
    info_.name = "remote";
    info_.key = "remote";
  }
  const DeviceInfo& info() const override { return info_; }
  bool host_accessible() const override { return false; }

 private:
  DeviceInfo info_;
};

}  // namespace convoy
