// The parts of Python's module, each of which adds its names.
#pragma once

#include <nanobind/nanobind.h>

namespace scales {

void bind_network(nanobind::module_& module);
void bind_gate_pass(nanobind::module_& module);
void bind_row_stream(nanobind::module_& module);
void bind_window_attention(nanobind::module_& module);
void bind_channels_last_layer(nanobind::module_& module);
void bind_bit_operations(nanobind::module_& module);
void bind_composition(nanobind::module_& module);
void bind_sign_convolution(nanobind::module_& module);

}  // namespace scales
