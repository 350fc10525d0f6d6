// Python's view of the native engine. Every shape and range is checked here; nothing behind it checks again.
#include "bindings/module.h"

#include <cstdlib>
#include <stdexcept>

#include "bindings/arrays.h"

namespace scales {
namespace {

// The table that SCALES_ISA names, else the best: chosen once.
const KernelTable& default_kernels() {
  static const KernelTable& kernels = []() -> const KernelTable& {
    const char* forced = std::getenv("SCALES_ISA");
    return select_kernels(CpuFeatures::detect(), forced == nullptr ? "" : forced);
  }();
  return kernels;
}

}  // namespace

const KernelTable& kernels_for(const std::optional<std::string>& isa) {
  return isa ? select_kernels(CpuFeatures::detect(), *isa) : default_kernels();
}

NB_MODULE(_native, module) {
  // nanobind takes the GIL of the main interpreter wherever it needs one: in others, calls wait for ever.
  if (PyInterpreterState_Get() != PyInterpreterState_Main())
    throw std::runtime_error(
        "it runs in the main interpreter only (WSGIApplicationGroup %{GLOBAL} of mod_wsgi)");
  nb::set_leak_warnings(false);  // after Ctrl-C, frames that are never unwound hold some to the end
  module.doc() = "Kernels and executors of packed 1-bit networks; see scales_cli/native.";

  module.def(
      "bindings_digest", [] { return SCALES_BINDINGS_DIGEST; },
      "What `native_module` compares with the sources that a checkout has.");
  module.def(
      "available_isas", [] { return available_kernels(CpuFeatures::detect()); },
      "Names of the kernel tables this CPU can execute, fastest first.");

  bind_network(module);
  bind_gate_pass(module);
  bind_row_stream(module);
  bind_window_attention(module);
  bind_channels_last_layer(module);
  bind_bit_operations(module);
  bind_composition(module);
  bind_sign_convolution(module);
}

}  // namespace scales
