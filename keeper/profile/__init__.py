"""What every instruction costs, measured in a real SVM."""
