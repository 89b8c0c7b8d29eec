"""What a network looks at: filters on images, activation maps, occlusion, feature maps and neighbours."""
