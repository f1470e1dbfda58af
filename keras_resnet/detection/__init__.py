"""Detection: a picture to boxes of its objects, by the paper's Faster R-CNN."""
