#include <stdexcept>

#include "kernel_table.h"

namespace scales {
namespace {

std::vector<const KernelTable*> executable_tables(const CpuFeatures& features) {
  std::vector<const KernelTable*> tables;
  (void)features;
#ifdef SCALES_X86
  if (features.avx512_bits) tables.push_back(&kAvx512Kernels);
  if (features.avx512_base) tables.push_back(&kAvx512BwKernels);
  if (features.avx2_fma) tables.push_back(&kAvx2Kernels);
#endif
#ifdef SCALES_NEON
  if (features.neon) tables.push_back(&kNeonKernels);
#endif
  tables.push_back(&kReferenceKernels);
  return tables;
}

}  // namespace

const KernelTable& select_kernels(const CpuFeatures& features, const std::string& isa) {
  const std::vector<const KernelTable*> tables = executable_tables(features);
  if (isa.empty()) return *tables.front();
  std::string names;
  for (const KernelTable* table : tables) {
    if (isa == table->name) return *table;
    names += (names.empty() ? "" : ", ") + std::string(table->name);
  }
  throw std::invalid_argument("no '" + isa + "' kernels on this CPU; available: " + names);
}

std::vector<std::string> available_kernels(const CpuFeatures& features) {
  std::vector<std::string> names;
  for (const KernelTable* table : executable_tables(features)) names.emplace_back(table->name);
  return names;
}

}  // namespace scales
