"""The callback desk's writes: one public function for each thing that customers and staff do."""
