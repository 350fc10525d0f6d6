"""Networks in torch, one file a backbone; everything else about one is in `backbones`."""
