"""Two machines and Bluetooth, real or not."""
