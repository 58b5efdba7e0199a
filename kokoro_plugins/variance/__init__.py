"""Adaptors that predict a curve, such as pitch or energy, and add its embedding."""
