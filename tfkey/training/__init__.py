"""What training needs beside a network: losses, metrics, augmentation, schedules, callbacks, TensorBoard."""
