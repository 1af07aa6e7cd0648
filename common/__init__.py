"""What any app may use and none owns. No models, no business."""
