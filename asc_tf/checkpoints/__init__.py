"""What do the files of PyTorch networks hold, read without running anything from them?"""
