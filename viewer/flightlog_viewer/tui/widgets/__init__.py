"""The widgets of the viewer; three of them draw only what is in view, over any number of rows."""
