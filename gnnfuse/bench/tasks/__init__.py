"""The benchmark tasks, one file each; the catalogue lists them."""
