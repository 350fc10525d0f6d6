"""The wing that may import torch: engines that need it, and the way from a network to packed weights and back."""
