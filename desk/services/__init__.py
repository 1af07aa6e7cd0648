"""The callback desk's writes: one public function per mutation."""
